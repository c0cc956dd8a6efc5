"""openat2(2): paths that cannot lead out of a directory, whatever symlinks lie on the way."""

from __future__ import annotations

import ctypes
import os

from engine.kernel.libc import KernelCallError, libc

# include/uapi/linux/openat2.h
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_NR_OPENAT2 = 437  # on every architecture


class _OpenHow(ctypes.Structure):
    """struct open_how."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_in_root(root_fd: int, path: bytes, flags: int, mode: int = 0) -> int:
    """Open `path` as if `root_fd` were `/`: absolute symlinks and `..` stay inside it.

    The descriptor is close-on-exec. Raises KernelCallError (an OSError, with its errno).
    """
    return _openat2(root_fd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def stat_in_root(root_fd: int, path: bytes, flags: int = 0) -> os.stat_result:
    """fstat(2) of what `open_in_root` finds; with O_NOFOLLOW of a symlink itself."""
    fd = open_in_root(root_fd, path, os.O_PATH | flags)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def open_beneath(root_fd: int, path: bytes, flags: int, mode: int = 0) -> int:
    """Open `path` below `root_fd`; ELOOP on any symlink, EXDEV on a path that leaves it."""
    return _openat2(root_fd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)


def open_inside(root_fd: int, path: bytes, flags: int, mode: int = 0) -> int:
    """Open `path` below `root_fd`, through links that stay inside; EXDEV where it leaves."""
    return _openat2(root_fd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)


def _openat2(root_fd: int, path: bytes, flags: int, mode: int, resolve: int) -> int:
    how = _OpenHow(flags=flags | os.O_CLOEXEC, mode=mode, resolve=resolve)
    while True:
        fd: int = libc.syscall(
            ctypes.c_long(_NR_OPENAT2),
            ctypes.c_long(root_fd),
            path,
            ctypes.byref(how),
            ctypes.c_long(ctypes.sizeof(how)),
        )
        if fd >= 0:
            return fd
        error = KernelCallError("openat2", path=path, flags=oct(flags), resolve=resolve)
        if error.errno != 11:  # EAGAIN: a rename happened during the walk
            raise error
