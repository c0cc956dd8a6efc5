"""What a bind mount shows: a path of the host, a part of a volume, the content of an image."""

from __future__ import annotations

import errno
import os

from engine.kernel import mounts
from engine.kernel.mountoptions import MountOptions
from engine.kernel.openat2 import open_in_root, open_inside
from engine.rootfs.overlay import mount_layers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PEERS = mounts.MS_SHARED | mounts.MS_SLAVE


def open_peers(entries: list[dict[str, Any]]) -> None:
    """Give the binds among `entries` that shall see later mounts of the host their `tree_fd`.

    Before a mount namespace is made: only a copy from within the host's own is a peer of the
    original, to which and from which mounts propagate.
    """
    for entry in entries:
        options = MountOptions(entry["options"])
        if options.is_bind and options.propagation & _PEERS:
            entry["tree_fd"] = open_source(entry, options)


def open_source(entry: dict[str, Any], options: MountOptions) -> int:
    """A detached mount of the source of a bind. Raises OSError.

    Of ours in an entry, beside those of the runtime specification:
    tree_fd   it has been opened already
    layers    of an image, top first; they are put together at `source`, an empty directory
    subpath   what of the source is mounted, without leaving it by `..` or symbolic links; in an
              image, absolute links begin at its root
    """
    recursive = bool(options.flags & mounts.MS_REC)
    if "tree_fd" in entry:
        opened: int = entry["tree_fd"]
        return opened
    source = entry["source"]
    if "layers" in entry:
        source = mount_layers(source, entry["layers"])
    if not entry.get("subpath"):
        return mounts.open_tree(source, recursive=recursive)
    base_fd = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        inside_fd = _open_subpath(base_fd, entry["subpath"], is_root="layers" in entry)
    finally:
        os.close(base_fd)
    try:
        return mounts.open_tree("", recursive=recursive, directory_fd=inside_fd)
    finally:
        os.close(inside_fd)


def _open_subpath(base_fd: int, subpath: str, *, is_root: bool) -> int:
    open_below = open_in_root if is_root else open_inside
    try:
        return open_below(base_fd, os.fsencode(subpath), os.O_PATH)
    except OSError as error:
        left = error.errno in (errno.EXDEV, errno.ELOOP)
        reason = "it leads out of it" if left else (error.strerror or "").rpartition(": ")[2]
        raise OSError(error.errno, f"subpath {subpath}: {reason}") from None
