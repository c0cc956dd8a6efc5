"""/sys/fs/cgroup of a container: on v2 one mount; on v1 one for each hierarchy."""

from __future__ import annotations

import errno
import os

from engine.kernel import mounts
from engine.rootfs.mounts import MountError, ensure_directory, make_mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_REFUSED = (errno.EPERM, errno.EBUSY)  # as in a user namespace without one of cgroups


def mount_unified(root_fd: int, entry: dict[str, Any], own: str | None) -> None:
    """Make an entry of type cgroup2. Where the kernel refuses one, its own group alone is shown,
    and where it refuses that too, nothing (engine.md A2.4). Raises MountError.

    own  directory of the container's group
    """
    bound = entry | {"type": "bind", "source": own, "options": ["bind", *entry["options"]]}
    nothing = entry | {"type": "tmpfs", "source": "tmpfs", "options": [*entry["options"], "ro"]}
    for attempt in (entry, *([bound] if own else []), nothing):
        try:
            make_mount(root_fd, attempt)
            return
        except MountError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno not in _REFUSED or attempt is nothing:
                raise


def mount_hierarchies(
    root_fd: int, target: str, controllers: list[str], own: dict[str, str], read_only: bool
) -> None:
    """A tmpfs with a directory for each of `controllers`: "cpu", "cpu,cpuacct", "name=systemd".

    Nothing above the container's group can be seen: in a cgroup namespace of its own, that is the
    root; in the host's, its directory alone is shown. Joint controllers get a link for each name.

    own  controller -> directory of the container's group, in the host's namespace; else empty
    """
    flags = mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC
    target_fd = ensure_directory(root_fd, target)
    path = f"/proc/self/fd/{target_fd}"
    mounts.mount("tmpfs", path, "tmpfs", flags, "mode=755,size=64k")
    os.close(target_fd)
    base_fd = ensure_directory(root_fd, target)
    try:
        for controller in controllers:
            source = own.get(controller.partition(",")[0])
            _mount_hierarchy(base_fd, controller, source, flags, read_only)
        if read_only:
            remount = mounts.MS_BIND | mounts.MS_REMOUNT | mounts.MS_RDONLY | flags
            mounts.mount("", f"/proc/self/fd/{base_fd}", flags=remount)
    finally:
        os.close(base_fd)


def _mount_hierarchy(
    base_fd: int, controller: str, source: str | None, flags: int, read_only: bool
) -> None:
    name = controller.removeprefix("name=")
    os.mkdir(name, 0o755, dir_fd=base_fd)
    for alias in name.split(",") if "," in name else ():
        os.symlink(name, alias, dir_fd=base_fd)
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=base_fd)
    try:
        if source is not None:
            _bind(source, fd, read_only)
            return
        read_only_flag = mounts.MS_RDONLY if read_only else 0
        path = f"/proc/self/fd/{fd}"
        mounts.mount("cgroup", path, "cgroup", flags | read_only_flag, controller)
    finally:
        os.close(fd)


def _bind(source: str, target_fd: int, read_only: bool) -> None:
    tree_fd = mounts.open_tree(source)
    try:
        mounts.set_attributes(tree_fd, read_only=read_only, propagation=mounts.MS_PRIVATE)
        mounts.move_mount(tree_fd, target_fd)
    finally:
        os.close(tree_fd)
