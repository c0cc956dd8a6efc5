"""What a monitor does about want of memory in its container: notice it at once, and say so."""

from __future__ import annotations

import os

from engine.cgroups.oom import kills
from engine.containers.rows import note_event
from engine.state.paths import Roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.kernel.loop import Loop

_BUSY_S = 10.0  # how long another may keep the database
_NOTICES_BYTES = 4096
_LOOKS_S = (0.02, 0.2, 2.0)  # the kernel may tell before it has killed


class Oom:
    """The kills for want of memory in one container, run by run.

    watch_fd, counters  of `engine.cgroups.oom`; the descriptor is closed at the end
    killed              called when there has been one, while the container runs on
    """

    def __init__(
        self,
        loop: Loop,
        watch_fd: int,
        counters: str,
        ours: dict[str, Any],
        killed: Callable[[], object],
    ) -> None:
        self._loop, self._watch_fd, self._counters = loop, watch_fd, counters
        self._ours, self._killed = ours, killed
        self._noted = self._before = 0
        self._looking = False
        loop.add_reader(watch_fd, self._told)

    def end_run(self) -> bool:
        """Whether this run had a kill; what comes counts for the next."""
        found = kills(self._counters)
        if found > self._noted:
            self._note(found)
        had_one, self._before = found > self._before, found
        return had_one

    def close(self) -> None:
        """Stop watching."""
        self._loop.remove_reader(self._watch_fd)
        os.close(self._watch_fd)

    def _told(self) -> None:
        os.read(self._watch_fd, _NOTICES_BYTES)
        if not self._looking:
            self._look(_LOOKS_S)

    def _look(self, again_s: tuple[float, ...]) -> None:
        found = kills(self._counters)
        self._looking = found == self._noted and bool(again_s)
        if found > self._noted:
            self._note(found)
            self._killed()
        elif self._looking:
            self._loop.call_later(again_s[0], lambda: self._look(again_s[1:]))

    def _note(self, found: int) -> None:
        self._noted = found
        _record_event(self._loop, self._ours)


def _record_event(loop: Loop, ours: dict[str, Any]) -> None:
    """Add it to the engine's events: by a child, since SQLite is no library for a monitor."""
    pid = os.fork()
    if pid == 0:
        try:
            _add_event(ours)
        finally:
            os._exit(0)
    pidfd = os.pidfd_open(pid)

    def ended() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:  # reaped with others
            return

    loop.add_reader(pidfd, ended)


def _add_event(ours: dict[str, Any]) -> None:
    import sqlite3  # in the child alone

    root = os.path.dirname(os.path.dirname(ours["directory"]))
    db = sqlite3.connect(Roots(root).database, timeout=_BUSY_S, isolation_level=None)
    note_event(db, "oom", ours["id"], {"name": ours["name"]})
    db.close()
