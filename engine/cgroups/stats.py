"""What a group has used, read from its control files: no process is started for it.

Source: kernel cgroup-v1/{memory,cpuacct,blkio-controller}.rst, cgroup-v2.rst. None where no
controller counts it.
"""

from __future__ import annotations

from engine.cgroups.hierarchy import V2, read_counters, read_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Directories = dict[str, str]


def cpu_ns(directories: Directories) -> int | None:
    """CPU time of all its processes, in nanoseconds."""
    words = read_words(f"{directories.get('cpuacct', '')}/cpuacct.usage")
    if words:
        return int(words[0])
    used_us = read_counters(f"{directories.get(V2, '')}/cpu.stat").get("usage_usec")
    return None if used_us is None else used_us * 1000


def throttling(directories: Directories) -> tuple[int, int, int]:
    """Periods of its quota, those in which it was held back, and for how long, in nanoseconds."""
    found = read_counters(f"{_of(directories, 'cpu')}/cpu.stat")
    held_ns = found.get("throttled_time", 1000 * found.get("throttled_usec", 0))
    return found.get("nr_periods", 0), found.get("nr_throttled", 0), held_ns


def memory_bytes(directories: Directories) -> int | None:
    """As Docker counts: without the pages of files that have not been used for a while."""
    directory = _of(directories, "memory")
    v1 = "memory" in directories
    used = read_words(f"{directory}/{'memory.usage_in_bytes' if v1 else 'memory.current'}")
    if not used:
        return None
    idle = read_counters(f"{directory}/memory.stat").get("total_inactive_file" if v1 else
                                                         "inactive_file", 0)  # fmt: skip
    return max(0, int(used[0]) - idle)


def memory_limit_bytes(directories: Directories) -> int | None:
    """Its own limit; None where it has none."""
    directory = _of(directories, "memory")
    words = read_words(f"{directory}/memory.max") or read_words(
        f"{directory}/memory.limit_in_bytes"
    )
    return int(words[0]) if words and words[0].isdigit() else None


def pids(directories: Directories) -> tuple[int | None, int | None]:
    """How many tasks there are, and how many there may be."""
    directory = _of(directories, "pids")
    found = (read_words(f"{directory}/{name}") for name in ("pids.current", "pids.max"))
    current, most = (int(words[0]) if words and words[0].isdigit() else None for words in found)
    return current, most


def io_bytes(directories: Directories) -> tuple[int, int] | None:
    """Read from and written to block devices."""
    if "blkio" in directories:
        words = read_words(f"{directories['blkio']}/blkio.throttle.io_service_bytes_recursive")
        triples = zip(words[1::3], words[2::3], strict=False)  # device, operation, bytes
        return _sums((kind, count) for kind, count in triples)
    directory = directories.get(V2)
    words = read_words(f"{directory}/io.stat") if directory else []
    return _sums(word.split("=", 1) for word in words if "=" in word)


def _sums(counts: Iterable[Iterable[str]]) -> tuple[int, int]:
    read = written = 0
    for kind, count in counts:
        if kind in ("Read", "rbytes"):
            read += int(count)
        elif kind in ("Write", "wbytes"):
            written += int(count)
    return read, written


def _of(directories: Directories, controller: str) -> str:
    return directories.get(controller) or directories.get(V2, "")
