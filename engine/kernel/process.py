"""Small facts and settings of processes: identity, parent-death signal, descriptors."""

from __future__ import annotations

import ctypes
import os
import signal

from engine.kernel import capabilities
from engine.kernel.libc import KernelCallError, libc, prctl, syscall

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CLOSE_RANGE_CLOEXEC = 1 << 2
_NR_CLOSE_RANGE = 436
_NR_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "s390x": 280, "ppc64le": 271}
_KEYCTL_JOIN_SESSION_KEYRING = 1
_KEYCTL_SETPERM = 5
_KEYRING_PERMISSIONS = 0x3F1B0000  # the possessor all; its user may view, read, link and search
PERSONAS = {"LINUX": 0x0, "LINUX32": 0x8}  # include/uapi/linux/personality.h
_NR_RT_SIGACTION = {"x86_64": 13, "aarch64": 134, "riscv64": 134, "s390x": 174, "ppc64le": 173}
_RESERVED_SIGNALS = (32, 33)
_SIGACTION_BYTES, _SIGSET_BYTES = 32, 8  # of the kernel; all zeros: SIG_DFL
_LAST_FD = 0xFFFFFFFF


def start_time(pid: int) -> int | None:
    """Clock ticks since boot at which `pid` was started; None if there is no such process.

    Pid and start time together name a process for good. Source: proc(5), field 22 of stat.
    """
    found = _stat(pid)
    return int(found[19]) if found else None


def is_running(pid: int, started: int) -> bool:
    """Whether the process of that pid and start time runs: it is neither gone nor a zombie."""
    found = _stat(pid)
    return bool(found) and int(found[19]) == started and found[0] not in (b"Z", b"X")


def is_being_killed(pid: int) -> bool:
    """Whether a child of ours has got a SIGKILL: it stays pending until the child is reaped.

    Source: proc(5), ShdPnd of status.
    """
    with open(f"/proc/{pid}/status", "rb") as file:
        pending = next(line for line in file if line.startswith(b"ShdPnd:"))
    return bool(int(pending.split()[1], 16) & 1 << signal.SIGKILL - 1)


def _stat(pid: int) -> list[bytes]:
    """/proc/PID/stat from the state on; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return []
    return text[text.rindex(b")") + 2 :].split()


def set_name(name: str) -> None:
    """The name that ps and top show; cut at 15 bytes by the kernel.

    Not by /proc/self/comm, which is the host's root's where the process is not dumpable.
    """
    text = ctypes.create_string_buffer(name.encode())
    prctl(_PR_SET_NAME, ctypes.addressof(text), name="PR_SET_NAME")


def title_memory() -> tuple[int, int]:
    """Where the words lie that this process was executed with: address and length in bytes.

    Source: proc(5), fields 48 and 49 of stat.
    """
    found = _stat(os.getpid())
    start, end = int(found[45]), int(found[46])
    return start, end - start


def show_as(memory: tuple[int, int], text: str) -> None:
    """The command line that others read, in place of ours with its paths; cut to what fits.

    A last byte other than zero says that it is a title: it then ends at the first zero.
    Source: get_mm_cmdline in the kernel's fs/proc/base.c.
    """
    address, length = memory
    title = os.fsencode(text)[: length - 2]
    ctypes.memmove(address, title.ljust(length - 1, b"\0") + b"\xff", length)


def become_subreaper() -> None:
    """Orphans below this process become its children."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1, name="PR_SET_CHILD_SUBREAPER")


def raise_file_limit() -> None:
    """As many open files as are allowed; the soft limit is 1,024 as a rule, for select(2)."""
    import resource  # 0.3 ms, and the command needs the rest of this file

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process once its parent ends.

    `parent` is the pid the caller had before the fork: if it is not the parent any more, the
    signal would never come, so the process ends now. 0 is a parent outside the pid namespace.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, name="PR_SET_PDEATHSIG")
    if os.getppid() not in (parent, 0):
        os._exit(1)


def set_hostname(name: str) -> None:
    """sethostname(2): a user namespace that owns the UTS namespace may, but not by its sysctl."""
    if libc.sethostname(os.fsencode(name), ctypes.c_size_t(len(os.fsencode(name)))) < 0:
        raise KernelCallError("sethostname", name=name)


def set_domainname(name: str) -> None:
    """setdomainname(2)."""
    if libc.setdomainname(os.fsencode(name), ctypes.c_size_t(len(os.fsencode(name)))) < 0:
        raise KernelCallError("setdomainname", name=name)


def set_personality(persona: int) -> None:
    """personality(2). With PERSONAS["LINUX32"], uname(2) says a machine of 32 bits: to us, too."""
    if libc.personality(ctypes.c_ulong(persona)) < 0:
        raise KernelCallError("personality", persona=hex(persona))


def reset_signals() -> None:
    """None is ignored or blocked any more: what Python, the stage or a shell that ran us ignores
    would stay ignored over execve."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    reset_reserved_signals()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def reset_reserved_signals() -> None:
    """Default actions for the two signals that the C library keeps to itself and refuses to set:
    who ignores them hands that on over execve."""
    number = _NR_RT_SIGACTION.get(os.uname().machine)
    if number is None:
        return
    for reserved in _RESERVED_SIGNALS:
        arguments = (reserved, bytes(_SIGACTION_BYTES), None, _SIGSET_BYTES)
        syscall(number, *arguments, name="rt_sigaction", signal=reserved)


def become_for_files(uid: int, gid: int) -> None:
    """Make files as `uid` and `gid`, with the same capabilities. Source: setfsuid(2)."""
    permitted = capabilities.bounding()
    libc.setfsgid(gid)
    libc.setfsuid(uid)  # which drops the capabilities that are about files
    capabilities.set_capabilities(permitted)


def set_dumpable(dumpable: bool) -> None:
    """Not dumpable: others cannot reach /proc/PID/{exe,fd,root} of this process."""
    prctl(_PR_SET_DUMPABLE, int(dumpable), name="PR_SET_DUMPABLE")


def set_no_new_privileges() -> None:
    """execve gains nothing from setuid bits or file capabilities any more."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1, name="PR_SET_NO_NEW_PRIVS")


def set_keep_capabilities(keep: bool) -> None:
    """Permitted capabilities stay over setuid."""
    prctl(_PR_SET_KEEPCAPS, int(keep), name="PR_SET_KEEPCAPS")


def join_new_session_keyring(name: str) -> None:
    """A session keyring of one's own, so that keys are not shared with the host's session.

    A kernel without keyrings, or one that has run out of its quota of them, is accepted.
    """
    number = _NR_KEYCTL.get(os.uname().machine)
    if number is None:
        return
    join = (number, _KEYCTL_JOIN_SESSION_KEYRING, name.encode())
    try:
        key = syscall(*join, name="keyctl", keyring=name)
        syscall(number, _KEYCTL_SETPERM, key, _KEYRING_PERMISSIONS, name="keyctl", keyring=name)
    except OSError:
        return


def set_oom_score(value: int) -> None:
    """How likely the kernel picks this process when memory runs out: -1000 (never) to 1000.

    Below what the process has been given needs SYS_RESOURCE. Source: proc(5), oom_score_adj.
    """
    fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    try:
        if int(os.read(fd, 16)) != value:
            os.write(fd, str(value).encode())
    finally:
        os.close(fd)


def apparmor_is_enabled() -> bool:
    """Whether this kernel confines programs by profiles of AppArmor."""
    try:
        with open("/sys/module/apparmor/parameters/enabled", encoding="ascii") as file:
            return file.read(1) == "Y"
    except OSError:
        return False


def set_apparmor_profile(name: str) -> None:
    """The profile of AppArmor that the next program executed by this process is under.

    Source: AppArmor's library, aa_change_onexec(3); the second path is that of kernels before 5.8.
    """
    for path in ("/proc/self/attr/apparmor/exec", "/proc/self/attr/exec"):
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            os.write(fd, f"exec {name}".encode())
        finally:
            os.close(fd)
        return


def close_from(first: int) -> None:
    """Close every descriptor from `first` on, whoever opened it."""
    try:
        syscall(_NR_CLOSE_RANGE, first, _LAST_FD, 0, name="close_range")
    except OSError:
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def close_on_exec_from(first: int) -> None:
    """Every descriptor from `first` on closes at execve. Source: close_range(2), Linux 5.11."""
    try:
        syscall(_NR_CLOSE_RANGE, first, _LAST_FD, _CLOSE_RANGE_CLOEXEC, name="close_range")
    except OSError:
        for name in os.listdir("/proc/self/fd"):
            if int(name) >= first:
                try:
                    os.set_inheritable(int(name), False)
                except OSError:  # the listing's own descriptor
                    continue


def state_of(pid: int) -> str | None:
    """`D (disk sleep)`, `Z (zombie)` ...; None for a process that is not there."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            lines = (line.partition(":") for line in file)
            return next((value.strip() for key, _, value in lines if key == "State"), None)
    except OSError:
        return None
