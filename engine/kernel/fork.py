"""fork(2) into a control group."""

from __future__ import annotations

import ctypes
import os
import signal
import struct

_NR_CLONE3 = 435  # on every architecture
_CLONE_INTO_CGROUP = 0x200000000
# struct clone_args, include/uapi/linux/sched.h: flags, pidfd, child_tid, parent_tid, exit_signal,
# stack, stack_size, tls, set_tid, set_tid_size, cgroup
_ARGUMENTS = struct.Struct("11Q")

_python = ctypes.PyDLL(None, use_errno=True)  # which keeps the lock of the interpreter
_python.syscall.restype = ctypes.c_long


def fork_into(directory_fd: int) -> int:
    """os.fork(), with the child in the control group (v2) of `directory_fd` from its birth on.

    The caller must have a single thread. Raises OSError where it cannot be: before Linux 5.7, or
    for a group that takes no processes. Source: clone(2), CLONE_INTO_CGROUP.
    """
    arguments = _ARGUMENTS.pack(
        _CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, directory_fd
    )
    _python.PyOS_BeforeFork()
    pid: int = _python.syscall(ctypes.c_long(_NR_CLONE3), arguments, ctypes.c_long(_ARGUMENTS.size))
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    code = ctypes.get_errno()
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(code, f"clone3(CLONE_INTO_CGROUP): {os.strerror(code)}")
    return pid
