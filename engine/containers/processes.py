"""The processes of a container, as the host's /proc shows them: nothing of the container's is
executed or trusted for it (engine.md E20)."""

from __future__ import annotations

import os
import time

from engine.containers.group import find_cgroup
from engine.containers.observe import observe_state
from engine.errors import ContainerProblem
from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3

    from engine.state.paths import Roots

_TICKS = os.sysconf("SC_CLK_TCK")
_PTS_MAJORS = range(136, 144)
_TTY_MAJOR = 4


class Process(Record):
    """One process.

    pid, parent_pid  in our own pid namespace
    uid              likewise of our own user namespace
    started_at       seconds since the epoch
    cpu_s            CPU time so far
    tty              as `pts/0`, "" without
    command          what it says its arguments are, or its name in brackets; any bytes, replaced
                     where they are no UTF-8
    """

    pid: int
    parent_pid: int
    uid: int
    started_at: float
    cpu_s: float
    tty: str
    command: str


def observe_processes(roots: Roots, row: sqlite3.Row) -> tuple[Process, ...]:
    """In the order of their pids. Raises ContainerProblem where it does not run."""
    state = observe_state(roots, row["id"], row["started_at"])
    init = _status(state.get("pid") or 0)
    if not init:
        raise ContainerProblem(
            f"container {row['name']} is not running", code="container-not-running"
        )
    depth = len(init["NSpid"])
    found = (_observe(pid, depth) for pid in find_cgroup(roots, row["id"]).processes())
    return tuple(process for process in found if process is not None)


def _observe(pid: int, depth: int) -> Process | None:
    """None for one that has ended, and for ours, which waits outside for an exec's process.

    depth  how many pid namespaces those of the container are in
    """
    status, stat = _status(pid), _read(f"/proc/{pid}/stat")
    if not status or not stat or len(status["NSpid"]) < depth:
        return None
    name, fields = stat.partition("(")[2].rpartition(")")[0], stat.rpartition(")")[2].split()
    words = _read(f"/proc/{pid}/cmdline").rstrip("\0").replace("\0", " ")
    return Process(
        pid=pid,
        parent_pid=int(fields[1]),
        uid=int(status["Uid"][1]),
        started_at=time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + int(fields[19]) / _TICKS,
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS,
        tty=_tty(int(fields[4])),
        command=words or f"[{name}]",
    )


def _status(pid: int) -> dict[str, list[str]]:
    """/proc/PID/status; {} for a process that has ended."""
    lines = (line.partition(":") for line in _read(f"/proc/{pid}/status").splitlines())
    return {key: rest.split() for key, _, rest in lines}


def _tty(number: int) -> str:
    major, minor = os.major(number), os.minor(number)
    if major in _PTS_MAJORS:
        return f"pts/{(major - _PTS_MAJORS.start) * 256 + minor}"
    return f"tty{minor}" if major == _TTY_MAJOR else ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""
