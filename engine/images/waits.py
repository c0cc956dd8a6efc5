"""What a piece of work may be waiting for, so that whoever gives it up can end the wait."""

from __future__ import annotations

import threading
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Waits:
    """Of one piece of work, whatever threads it is done in."""

    def __init__(self) -> None:
        self._ends: set[Callable[[], None]] = set()
        self._lock = threading.Lock()
        self._is_over = False

    def end(self) -> None:
        """Those that there are, and from now on each as it begins."""
        with self._lock:
            self._is_over = True
            ends = tuple(self._ends)
        for end in ends:
            end()

    def add(self, end: Callable[[], None]) -> None:
        """`end` is called, once or more, where the work is given up."""
        with self._lock:
            self._ends.add(end)
            is_over = self._is_over
        if is_over:
            end()


_waits: ContextVar[Waits | None] = ContextVar("waits", default=None)


def of_this_work(waits: Waits) -> None:
    """Say in the thread that does a piece of work what those who wait in it are known to."""
    _waits.set(waits)


def end_with_work(end: Callable[[], None]) -> None:
    """Have `end` called if the work that this thread is at is given up by another one."""
    waits = _waits.get()
    if waits is not None:
        waits.add(end)
