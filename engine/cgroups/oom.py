"""Want of memory in a group: how often the kernel has killed for it, and being told at once."""

from __future__ import annotations

import os

from engine.cgroups.hierarchy import V2, read_counters, write_value
from engine.kernel.inotify import IN_MODIFY, Watch

_V1_NAME = "memory.oom_control"


def counters_of(directories: dict[str, str]) -> str:
    """Path of the file that counts the kills; "" where the kernel counts no memory here."""
    if "memory" in directories:
        return f"{directories['memory']}/{_V1_NAME}"
    path = f"{directories.get(V2, '')}/memory.events"
    return path if os.path.exists(path) else ""


def kills(counters: str) -> int:
    """Processes killed for want of memory so far."""
    return read_counters(counters).get("oom_kill", 0) if counters else 0


def open_watch(counters: str) -> int:
    """A descriptor that can be read when there may have been a kill; nobody waits in between.

    The kernel tells before it has killed (v1), and also when a group goes away: what counts is
    the number of kills.
    Source: kernel cgroup-v1/memory.rst "OOM Control"; cgroup-v2.rst "memory.events".
    """
    if os.path.basename(counters) != _V1_NAME:
        return Watch([counters], IN_MODIFY).fileno()
    event_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    control_fd = os.open(counters, os.O_RDONLY | os.O_CLOEXEC)
    try:
        directory = os.path.dirname(counters)
        write_value(directory, "cgroup.event_control", f"{event_fd} {control_fd}")
    except OSError:
        os.close(event_fd)
        raise
    finally:
        os.close(control_fd)
    return event_fd
