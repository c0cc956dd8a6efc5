"""Terminals: a pair from the devpts at hand, window sizes, raw mode."""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
import struct
import termios

from engine.kernel.libc import KernelCallError, libc
from engine.kernel.mounts import filesystem_of

_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441
_PTMX = os.makedev(5, 2)
_DEVPTS_MAGIC = 0x1CD1


def open_terminal() -> tuple[int, int]:
    """(master, peer) of a new terminal on the devpts of this mount namespace.

    The peer becomes the controlling terminal and stdin, stdout and stderr of this process, which
    must lead its session. It is had from the master, never by a path that the container could
    have changed; the master is checked to be what it should (CVE-2025-52565).
    """
    master_fd = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(master_fd)
    is_ptmx = stat.S_ISCHR(found.st_mode) and found.st_rdev == _PTMX
    if not is_ptmx or filesystem_of(master_fd) != _DEVPTS_MAGIC:
        raise OSError("/dev/pts/ptmx is not the terminal multiplexer")
    fcntl.ioctl(master_fd, _TIOCSPTLCK, struct.pack("i", 0))
    peer_fd: int = libc.ioctl(
        master_fd, ctypes.c_ulong(_TIOCGPTPEER), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
    )
    if peer_fd < 0:
        raise KernelCallError("ioctl", request="TIOCGPTPEER")
    fcntl.ioctl(peer_fd, termios.TIOCSCTTY, 0)
    for target in (0, 1, 2):
        os.dup2(peer_fd, target)
    return master_fd, peer_fd


def window_size(fd: int) -> tuple[int, int]:
    """(rows, columns) of a terminal."""
    rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns


def set_window_size(fd: int, rows: int, columns: int) -> None:
    """Tell a terminal its size; the processes on it get SIGWINCH."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
