"""What a container has used so far."""

from __future__ import annotations

import os
import time

from engine.cgroups import oom, stats
from engine.containers.group import find_cgroup
from engine.containers.observe import observe_state
from engine.errors import ContainerProblem
from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3

    from engine.state.paths import Roots


class Usage(Record):
    """Counters of one container that runs, of all its runs since it was started by a command.

    at_s                      when they were read, on the monotonic clock: two of them make a rate
    cpu_ns                    CPU time
    periods, throttled_*      of its CPU quota: periods that began, those in which it was held
                              back, and for how long
    memory_bytes              without the pages of files that have not been used for a while
    memory_limit_bytes        its limit, or what the host has
    read_bytes, written_bytes from and to block devices
    received_bytes, sent_bytes  on the interfaces of its network namespace but the loopback; None
                              where that is the host's

    None where the host has no controller that counts it.
    """

    at_s: float
    cpu_ns: int | None = None
    periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0
    memory_bytes: int | None = None
    memory_limit_bytes: int = 0
    oom_kills: int = 0
    pids: int | None = None
    pids_limit: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    received_bytes: int | None = None
    sent_bytes: int | None = None


def observe_usage(roots: Roots, row: sqlite3.Row) -> Usage:
    """Read from control files and /proc. Raises ContainerProblem where it does not run."""
    state = observe_state(roots, row["id"], row["started_at"])
    if not state.get("pid"):
        raise ContainerProblem(
            f"container {row['name']} is not running", code="container-not-running"
        )
    directories = find_cgroup(roots, row["id"]).directories
    periods, throttled, throttled_ns = stats.throttling(directories)
    count, most = stats.pids(directories)
    moved, sent = stats.io_bytes(directories), _network_bytes(state["pid"])
    return Usage(
        at_s=time.monotonic(),
        cpu_ns=stats.cpu_ns(directories),
        periods=periods,
        throttled_periods=throttled,
        throttled_ns=throttled_ns,
        memory_bytes=stats.memory_bytes(directories),
        memory_limit_bytes=min(stats.memory_limit_bytes(directories) or 1 << 62, _host_memory()),
        oom_kills=oom.kills(oom.counters_of(directories)),
        pids=count,
        pids_limit=most,
        read_bytes=moved[0] if moved else None,
        written_bytes=moved[1] if moved else None,
        received_bytes=sent[0] if sent else None,
        sent_bytes=sent[1] if sent else None,
    )


def _network_bytes(pid: int) -> tuple[int, int] | None:
    """Received and sent; /proc/PID/net/dev shows the interfaces of the namespace of PID."""
    try:
        own, its = (os.stat(f"/proc/{one}/ns/net").st_ino for one in ("self", pid))
        if own == its:
            return None
        with open(f"/proc/{pid}/net/dev", encoding="ascii") as file:
            lines = file.read().splitlines()[2:]
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return None
    counters = {name.strip(): rest.split() for name, _, rest in (x.partition(":") for x in lines)}
    counters.pop("lo", None)
    received = sum(int(fields[0]) for fields in counters.values())
    return received, sum(int(fields[8]) for fields in counters.values())


def _host_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
