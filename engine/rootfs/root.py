"""The directory that becomes `/` of a container, as a mount of its own."""

from __future__ import annotations

import os

from engine.kernel import mounts
from engine.rootfs.overlay import mount_overlay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def mount_root(
    path: str, overlay: dict[str, Any] | None, propagation: str | None, tree_fd: int | None = None
) -> None:
    """Make `path` a mount, in the mount namespace of the container.

    overlay      its `lowers` (top first), `upper` and `work`; None: what is in `path` already
    tree_fd      the mount itself, made already and detached
    propagation  `linux.rootfsPropagation` of the OCI runtime specification. What is mounted on the
                 host later is not seen inside unless it is asked for, and what is mounted inside
                 is not seen outside unless it is `shared`.
    """
    kind = mounts.PROPAGATION[propagation or "rslave"] | mounts.MS_REC
    if kind & mounts.MS_UNBINDABLE:  # which the root itself is to be, but not before it is bound
        kind = mounts.MS_PRIVATE | mounts.MS_REC
    mounts.mount("", "/", flags=kind)
    if tree_fd is not None:
        target_fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        mounts.move_mount(tree_fd, target_fd)
        os.close(target_fd)
        os.close(tree_fd)
        return
    if overlay is not None:
        mount_overlay(path, overlay["lowers"], overlay["upper"], overlay["work"])
        return
    if kind & mounts.MS_SHARED:  # pivot_root(2) wants a parent that is not
        mounts.mount("", mounts.mount_point_of(path), flags=mounts.MS_PRIVATE)
    mounts.mount(path, path, flags=mounts.MS_BIND | mounts.MS_REC)
