"""Namespaces by descriptor: making, joining and coming back.

A namespace lives as long as a process is in it or a descriptor of it is open: none of ours is
bind-mounted anywhere, so there is nothing to clean up after a crash.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket

from engine.kernel.child import open_in_child
from engine.kernel.libc import KernelCallError, libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# include/uapi/linux/sched.h
CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
_NS_GET_USERNS = 0xB701
_NS_GET_NSTYPE = 0xB703  # include/uapi/linux/nsfs.h

libc.unshare.argtypes = (ctypes.c_int,)
libc.setns.argtypes = (ctypes.c_int, ctypes.c_int)


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces of the kinds in `flags`."""
    if libc.unshare(flags) < 0:
        raise KernelCallError("unshare", flags=hex(flags))


def setns(fd: int, flags: int = 0) -> None:
    """Move the calling thread into the namespace of `fd`, or into those of a pidfd."""
    if libc.setns(fd, flags) < 0:
        raise KernelCallError("setns", fd=fd, flags=hex(flags))


def open_own(kind: str) -> int:
    """A close-on-exec descriptor of the calling thread's own namespace (`net`, `mnt`, ...)."""
    return os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def kind_of(fd: int) -> int:
    """The CLONE_NEW* flag of the namespace that `fd` is open on; 0 where it is none."""
    try:
        return fcntl.ioctl(fd, _NS_GET_NSTYPE)
    except OSError:
        return 0


def is_shared(pid: int, kind: str) -> bool:
    """Whether a process is in our own namespace of a kind (`user`, `time`, ...)."""
    theirs, own = os.stat(f"/proc/{pid}/ns/{kind}"), os.stat(f"/proc/self/ns/{kind}")
    return theirs.st_ino == own.st_ino


def owner_of(fd: int) -> int:
    """A close-on-exec descriptor of the user namespace that the namespace of `fd` belongs to."""
    return fcntl.ioctl(fd, _NS_GET_USERNS)


def new_network_in(userns_fd: int) -> int:
    """A descriptor of a fresh network namespace that belongs to the user namespace `userns_fd`."""

    def make() -> list[int]:
        setns(userns_fd, CLONE_NEWUSER)
        unshare(CLONE_NEWNET)
        return [open_own("net")]

    return open_in_child(make)[0]


@contextlib.contextmanager
def joined_network(fd: int) -> Iterator[None]:
    """The calling thread in the network namespace of `fd` for the length of a with-block."""
    home = open_own("net")
    try:
        setns(fd, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def new_network() -> int:
    """A close-on-exec descriptor of a fresh network namespace; the thread stays where it was."""
    home = open_own("net")
    try:
        unshare(CLONE_NEWNET)
        try:
            return open_own("net")
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def socket_in(fd: int, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that belongs to the network namespace of `fd`, for use from anywhere (0.03 ms)."""
    with joined_network(fd):
        return socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
