"""What the process that unpacks a layer can still do: make files in one directory, and no more.

Standard library only: the confined unpacker imports this.
"""

from __future__ import annotations

import errno
import os
import resource
import sys

from engine.kernel import capabilities, mounts, process, seccomp, syscalls
from engine.kernel.libc import KernelCallError, libc

_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWNET = 0x20000, 0x8000000, 0x40000000
_KEPT = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP"]
_MEMORY_BYTES = 1 << 30
_FILES = 64
# Devices that a layer has are made, and cannot be opened here.
_INERT = mounts.MS_NODEV | mounts.MS_NOSUID | mounts.MS_NOEXEC
_CALLS = """
    brk clock_gettime close dup exit exit_group fcntl futex getpid getrandom gettid ioctl madvise
    mmap mprotect mremap munmap rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_yield
    set_robust_list sigaltstack tgkill

    chdir fchdir fstat getcwd getdents64 getxattr lgetxattr lseek lstat newfstatat open openat
    openat2 pread64 read readlink readlinkat readv stat statx umask

    chmod chown fallocate fchmod fchmodat fchown fchownat fsetxattr ftruncate lchown link linkat
    lsetxattr mkdir mkdirat mknod mknodat pwrite64 rename renameat
    renameat2 rmdir setxattr symlink symlinkat unlink
    unlinkat utimensat write writev
"""


def confine(directory: str, file_bytes: int) -> None:
    """Make `directory` all that this process sees, and give up what it does not need for that.

    In namespaces of its own; without a capability but those that set owners, modes, devices and
    file capabilities; no file larger than `file_bytes`, little memory; and of the system calls
    none that starts, joins, mounts, traces, listens or connects: they are refused with EPERM.
    """
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWIPC | _CLONE_NEWNET) < 0:
        raise KernelCallError("unshare")
    mounts.mount("", "/", flags=mounts.MS_REC | mounts.MS_PRIVATE)
    mounts.mount(directory, directory, flags=mounts.MS_BIND)
    mounts.mount("", directory, flags=mounts.MS_BIND | mounts.MS_REMOUNT | _INERT)
    root_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mounts.become_root(root_fd)
    os.close(root_fd)
    sys.meta_path.clear()  # an import would now run what the layer has at our library's path
    os.umask(0)
    _limit(file_bytes)
    process.set_no_new_privileges()
    capabilities.drop_bounding(_KEPT)
    capabilities.set_capabilities(_KEPT)
    seccomp.install(_filter())


def _limit(file_bytes: int) -> None:
    for limit, value in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))


def _filter() -> bytes:
    machine = os.uname().machine
    numbers = syscalls.numbers(machine)
    allow = seccomp.Rule(seccomp.ALLOW)
    rules = {numbers[call]: allow for call in _CALLS.split() if call in numbers}
    return seccomp.compile_filter({machine: rules}, seccomp.ERRNO | errno.EPERM)
