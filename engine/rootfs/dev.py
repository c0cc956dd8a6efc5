"""The nodes and links of a container's /dev."""

from __future__ import annotations

import os
import stat

from engine.rootfs.mounts import ensure_directory

# name -> major, minor; all of them 0666 (engine.md A3.1)
NODES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}


def make_devices(root_fd: int) -> None:
    """Make NODES and the usual links in the freshly mounted /dev; existing names are left alone.

    A user may have mounted over one of them: `/dev/urandom:/dev/random`.

    Each node is opened again without following links and checked before its mode is set: between
    making and opening, another container on a shared mount could have swapped it.
    """
    mask = os.umask(0)
    dev_fd = ensure_directory(root_fd, "/dev")
    try:
        for name, (major, minor) in NODES.items():
            device = os.makedev(major, minor)
            try:
                os.mknod(name, stat.S_IFCHR | 0o666, device, dir_fd=dev_fd)
            except FileExistsError:
                continue
            found = os.stat(name, dir_fd=dev_fd, follow_symlinks=False)
            if not stat.S_ISCHR(found.st_mode) or found.st_rdev != device:
                raise OSError(f"/dev/{name} is not the device that was made")
        links = dict(_LINKS, core="/proc/kcore") if os.path.exists("/proc/kcore") else _LINKS
        for name, target in links.items():
            if name not in os.listdir(f"/proc/self/fd/{dev_fd}"):
                os.symlink(target, name, dir_fd=dev_fd)
    finally:
        os.close(dev_fd)
        os.umask(mask)
