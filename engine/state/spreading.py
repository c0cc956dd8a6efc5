"""Directories whose subdirectories ext4 puts into parts of the disk of their own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct

# include/uapi/linux/fs.h
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_FS_TOPDIR_FL = 0x00020000


def create_spreading(path: str, mode: int) -> None:
    """Make a directory for trees that come and go: layers, containers. One that exists is left.

    ext4 makes a file near its directory, and steps one by one over the inodes there that were
    freed within the last minute (fs/ext4/ialloc.c, `recently_deleted`): where thousands of files
    have just been removed, each new one takes a millisecond, for 0.03 elsewhere.
    """
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    os.chmod(path, mode)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # other filesystems do not know the flag
        flags = struct.unpack("l", fcntl.ioctl(fd, _FS_IOC_GETFLAGS, bytes(8)))[0]
        fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("l", flags | _FS_TOPDIR_FL))
    os.close(fd)
