"""A small epoll loop with timers, for processes that cannot afford asyncio (40 ms to import)."""

from __future__ import annotations

import heapq
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_WAIT_S = 86_400.0  # epoll_wait(2) takes an int of milliseconds


class Timer:
    """A call that is due; `cancel` makes it not happen."""

    __slots__ = ("callback", "due_s")

    def __init__(self, due_s: float, callback: Callable[[], object]) -> None:
        self.due_s = due_s
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Not to be called any more; may be repeated."""
        self.callback = None

    def __lt__(self, other: Timer) -> bool:
        return self.due_s < other.due_s


class Loop:
    """Level-triggered readiness of descriptors, and timers on the monotonic clock."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], object]] = {}
        self._writers: dict[int, Callable[[], object]] = {}
        self._timers: list[Timer] = []
        self._running = False

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back whenever `fd` can be read, has hung up or failed. Replaces an earlier one."""
        self._readers[fd] = callback
        self._update(fd)

    def remove_reader(self, fd: int) -> None:
        """Stop watching `fd` for reading; accepts one that is not watched."""
        if self._readers.pop(fd, None) is not None:
            self._update(fd)

    def add_writer(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back whenever `fd` can be written to. Replaces an earlier one."""
        self._writers[fd] = callback
        self._update(fd)

    def remove_writer(self, fd: int) -> None:
        """Stop watching `fd` for writing; accepts one that is not watched."""
        if self._writers.pop(fd, None) is not None:
            self._update(fd)

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        """Call back once, `delay_s` seconds from now."""
        timer = Timer(time.monotonic() + delay_s, callback)
        heapq.heappush(self._timers, timer)
        return timer

    def stop(self) -> None:
        """`run` returns once the present callback has."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        self._running = True
        while self._running:
            self.run_once()

    def run_once(self, timeout_s: float | None = None) -> None:
        """Wait for the next descriptor or timer (at most `timeout_s`), and serve what is due."""
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        if self._timers:
            until_s = min(max(0.0, self._timers[0].due_s - time.monotonic()), _LONGEST_WAIT_S)
            timeout_s = until_s if timeout_s is None else min(timeout_s, until_s)
        for fd, events in self._epoll.poll(timeout_s):
            reader = self._readers.get(fd)
            if reader is not None and events & ~select.EPOLLOUT:
                reader()
            writer = self._writers.get(fd)
            if writer is not None and events & ~select.EPOLLIN:
                writer()
        now_s = time.monotonic()
        while self._timers and self._timers[0].due_s <= now_s:
            callback = heapq.heappop(self._timers).callback
            if callback is not None:
                callback()

    def close(self) -> None:
        """Drop the epoll descriptor; what was watched stays open."""
        self._epoll.close()

    def _update(self, fd: int) -> None:
        mask = (select.EPOLLIN if fd in self._readers else 0) | (
            select.EPOLLOUT if fd in self._writers else 0
        )
        try:
            if not mask:
                self._epoll.unregister(fd)
            else:
                self._epoll.modify(fd, mask)
        except FileNotFoundError:
            if mask:
                self._epoll.register(fd, mask)
