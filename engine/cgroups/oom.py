"""To be told at once when the kernel has run out of memory for a group."""

from __future__ import annotations

import os

from engine.cgroups.hierarchy import V2, Hierarchies, write_value
from engine.kernel.inotify import IN_MODIFY, Watch


class OomWatch:
    """Readable when there may have been a kill; costs nothing in between.

    The kernel tells before it has killed (v1), and also when a group goes away: what counts is
    the number of kills (`memory.oom_kills`).
    Source: kernel cgroup-v1/memory.rst "OOM Control"; cgroup-v2.rst "memory.events".
    """

    def __init__(self, hierarchies: Hierarchies, directories: dict[str, str]) -> None:
        self._event_fd = -1
        self._watch: Watch | None = None
        if "memory" in hierarchies.v1:
            self._event_fd = _eventfd_v1(directories["memory"])
        elif V2 in directories and os.path.exists(f"{directories[V2]}/memory.events"):
            self._watch = Watch([f"{directories[V2]}/memory.events"], IN_MODIFY)

    def fileno(self) -> int:
        """For a loop; -1 where the kernel counts no memory here."""
        return self._watch.fileno() if self._watch is not None else self._event_fd

    def drain(self) -> None:
        """Forget what has been told so far."""
        if self._watch is not None:
            self._watch.drain()
        elif self._event_fd >= 0:
            try:
                os.eventfd_read(self._event_fd)
            except BlockingIOError:
                return

    def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.close()
        elif self._event_fd >= 0:
            os.close(self._event_fd)
        self._event_fd, self._watch = -1, None


def _eventfd_v1(directory: str) -> int:
    event_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    control_fd = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
    try:
        write_value(directory, "cgroup.event_control", f"{event_fd} {control_fd}")
    except OSError:
        os.close(event_fd)
        raise
    finally:
        os.close(control_fd)
    return event_fd
