"""What the kernel says of the process itself: who it is, what it may, what it was given."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of /proc/1/status; what follows from how a program was started, not from what it does
STATUS = """Umask Uid Gid Groups SigBlk CapInh CapPrm CapEff CapBnd CapAmb
NoNewPrivs Seccomp Seccomp_filters Speculation_Store_Bypass SpeculationIndirectBranch THP_enabled
Cpus_allowed_list Mems_allowed_list"""
TEXTS = """oom_score_adj coredump_filter uid_map gid_map setgroups projid_map loginuid
sessionid personality timens_offsets timerslack_ns attr/current cgroup cpuset"""
NAMESPACES = "cgroup ipc mnt net pid pid_for_children time time_for_children user uts"
PRCTL = {
    "parent-death signal": 2,
    "dumpable": 3,
    "keep capabilities": 7,
    "securebits": 27,
    "timer slack": 30,
    "child subreaper": 37,
    "transparent huge pages disabled": 42,
    "I/O flusher": 58,
}
BY_ADDRESS = {2, 37}
KEYCTL, SESSION_KEYRING, DESCRIBE = {"x86_64": 250, "aarch64": 219}, -3, 6


def facts() -> dict[str, str]:
    """Names and values."""
    return dict(_facts())


def _facts() -> Iterator[tuple[str, str]]:
    status = dict(_fields("/proc/self/status"))
    for name in STATUS.split():
        yield f"status {name}", " ".join(status.get(name, "missing").split())
    for name in TEXTS.split():
        yield f"self {name}", text(f"/proc/self/{name}")
    for line in text("/proc/self/limits").splitlines()[1:]:
        yield f"limit {line[:26].strip()}", " ".join(line[26:].split())
    for name in NAMESPACES.split():
        yield f"namespace {name}", _link(f"/proc/self/ns/{name}")
    yield from _first_process()
    yield from _environment()
    yield from _descriptors()
    yield from _credentials()


def _first_process() -> Iterator[tuple[str, str]]:
    """With an init of the engine's own, that is not the program."""
    status = dict(_fields("/proc/1/status"))
    for name in ("Name", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"):
        yield f"pid 1 {name}", " ".join(status[name].split())
    yield "pid 1 command", text("/proc/1/cmdline").split("\0")[0].split(" ")[0]
    yield "processes", str(len([name for name in os.listdir("/proc") if name.isdigit()]))  # noqa: PTH208


def _environment() -> Iterator[tuple[str, str]]:
    """As it was handed over: the shell before us has set these three."""
    entries = text("/proc/self/environ").split("\0")
    for entry in entries:
        name, _, value = entry.partition("=")
        if name not in ("", "PWD", "SHLVL", "_", "OLDPWD"):
            yield f"environment {name}", value
    yield "working directory", os.getcwd()  # noqa: PTH109


def _descriptors() -> Iterator[tuple[str, str]]:
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):  # noqa: PTH208
        with contextlib.suppress(OSError):  # the one that it was listed by
            yield f"descriptor {number}", _descriptor(number)


def _descriptor(number: int) -> str:
    found = os.fstat(number)
    kind = stat.S_IFMT(found.st_mode)
    what = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFREG: "file"}.get(kind, "")
    if kind == stat.S_IFCHR:
        what = _link(f"/proc/self/fd/{number}")
    flags = fcntl.fcntl(number, fcntl.F_GETFL)
    access = ("read", "write", "both")[flags & os.O_ACCMODE]
    rest = flags & ~(os.O_ACCMODE | 0o100000)
    return f"{what} {access} {rest:o} owner {found.st_uid}:{found.st_gid}"


def _credentials() -> Iterator[tuple[str, str]]:
    libc = ctypes.CDLL(None, use_errno=True)
    for name, option in PRCTL.items():
        value = ctypes.c_int(0)
        given = ctypes.byref(value) if option in BY_ADDRESS else 0
        result = libc.prctl(option, given, 0, 0, 0)
        yield f"prctl {name}", str(value.value if option in BY_ADDRESS else result)
    policy = os.sched_getscheduler(0)
    yield "scheduler", f"{policy} {os.sched_getparam(0).sched_priority}"
    yield "nice", str(os.getpriority(os.PRIO_PROCESS, 0))
    yield "I/O priority", str(libc.syscall({"x86_64": 252}.get(os.uname().machine, 31), 1, 0))
    yield "is session leader", str(os.getsid(0) == os.getpid())
    yield "is group leader", str(os.getpgid(0) == os.getpid())
    yield "foreground", _foreground()
    yield "session keyring", _keyring(libc)
    yield "CPUs", " ".join(map(str, sorted(os.sched_getaffinity(0))))


def _foreground() -> str:
    try:
        size = os.get_terminal_size(0)
        return f"{os.tcgetpgrp(0) == os.getpgid(0)} {size.columns}x{size.lines}"
    except OSError as error:
        return os.strerror(error.errno or 0)


def _keyring(libc: ctypes.CDLL) -> str:
    buffer = ctypes.create_string_buffer(256)
    number = KEYCTL[os.uname().machine]
    if libc.syscall(number, DESCRIBE, SESSION_KEYRING, buffer, 256) < 0:
        return os.strerror(ctypes.get_errno())
    return buffer.value.decode()


def _fields(path: str) -> Iterator[tuple[str, str]]:
    for line in text(path).splitlines():
        name, _, value = line.partition(":")
        yield name, value


def text(path: str) -> str:
    """The content of a file without the last newline, or the reason why there is none."""
    try:
        return Path(path).read_text(errors="replace").rstrip("\n")
    except OSError as error:
        return os.strerror(error.errno or 0)


def _link(path: str) -> str:
    with contextlib.suppress(FileNotFoundError):
        return os.readlink(path)  # noqa: PTH115
    return "missing"
