"""The nodes and links of a container's /dev."""

from __future__ import annotations

import errno
import os
import stat

from engine.kernel import mounts
from engine.rootfs.mounts import ensure_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# name -> major, minor; all of them 0666 (engine.md A3.1)
NODES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
_KINDS = {"b": stat.S_IFBLK, "c": stat.S_IFCHR, "u": stat.S_IFCHR, "p": stat.S_IFIFO}
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}


def make_devices(root_fd: int, extra: list[dict[str, Any]]) -> None:
    """Make NODES and the usual links in the freshly mounted /dev; existing names are left alone.

    A user may have mounted over one of them: `/dev/urandom:/dev/random`.

    extra  `linux.devices` of the OCI runtime configuration
    """
    mask = os.umask(0)
    dev_fd = ensure_directory(root_fd, "/dev")
    try:
        for device in extra:
            _make_extra(root_fd, device)
        for name, (major, minor) in NODES.items():
            _make_node(dev_fd, f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
        links = dict(_LINKS, core="/proc/kcore") if os.path.exists("/proc/kcore") else _LINKS
        for name, target in links.items():
            if name not in os.listdir(f"/proc/self/fd/{dev_fd}"):
                os.symlink(target, name, dir_fd=dev_fd)
    finally:
        os.close(dev_fd)
        os.umask(mask)


def _make_extra(root_fd: int, device: dict[str, Any]) -> None:
    kind = _KINDS[device["type"]]
    directory_fd = ensure_directory(root_fd, os.path.dirname(device["path"]))
    try:
        name = os.path.basename(device["path"])
        number = os.makedev(device["major"], device["minor"])
        if _make_node(directory_fd, device["path"], kind | device["fileMode"], number):
            owner = device["uid"], device["gid"]
            os.chown(name, *owner, dir_fd=directory_fd, follow_symlinks=False)
        else:
            _check_node(directory_fd, name, kind, number)
    finally:
        os.close(directory_fd)


def _make_node(directory_fd: int, path: str, mode: int, device: int) -> bool:
    """False where the name is taken. The node is looked at again without following links:
    between, another container on a shared mount could have swapped it."""
    name = os.path.basename(path)
    try:
        os.mknod(name, mode, device, dir_fd=directory_fd)
    except FileExistsError:
        return False
    except PermissionError:  # in a user namespace nodes cannot be made
        _bind_node(directory_fd, path, device)
        return False
    _check_node(directory_fd, name, stat.S_IFMT(mode), device)
    return True


def _bind_node(directory_fd: int, path: str, device: int) -> None:
    """The host's node at the same path, if it is of that device."""
    tree_fd = mounts.open_tree(path)
    try:
        if os.fstat(tree_fd).st_rdev != device:
            raise OSError(errno.EPERM, f"{path} cannot be made, and the host has another")
        name = os.path.basename(path)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(name, flags, 0o666, dir_fd=directory_fd))
        target_fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory_fd)
        try:
            mounts.move_mount(tree_fd, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(tree_fd)


def _check_node(directory_fd: int, name: str, kind: int, device: int) -> None:
    found = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
    if stat.S_IFMT(found.st_mode) != kind or found.st_rdev != device:
        path = os.readlink(f"/proc/self/fd/{directory_fd}")
        raise OSError(f"{path}/{name} is not the device that it shall be")
