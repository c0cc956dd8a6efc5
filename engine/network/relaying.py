"""The monitor's part of relayed ports: it waits for a client, and forks the relay then.

A relay takes memory and is seldom wanted: most clients are translated by the kernel.
"""

from __future__ import annotations

import contextlib
import os
import signal

from engine.kernel.process import close_from, die_with_parent, set_name
from engine.network.relay import relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.kernel.loop import Loop, Timer
    from engine.network.relay import Listener

_AGAIN_S = 1.0


class Relaying:
    """The relayed ports of one container, on the monitor's loop. It has a relay or waits."""

    __slots__ = ("_again", "_listeners", "_loop", "_pidfd")

    def __init__(self, loop: Loop, listeners: Sequence[Listener]) -> None:
        self._loop, self._listeners = loop, listeners
        self._pidfd = -1
        self._again: Timer | None = None
        self._wait()

    def close(self) -> None:
        """End the relay, with the connections that it has; may be repeated."""
        self._ignore()
        if self._again is not None:
            self._again.cancel()
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = -1

    def _wait(self) -> None:
        for listener in self._listeners:
            self._loop.add_reader(listener.reserved.fileno(), self._start)

    def _ignore(self) -> None:
        for listener in self._listeners:
            self._loop.remove_reader(listener.reserved.fileno())

    def _start(self) -> None:
        self._ignore()
        parent = os.getpid()
        try:
            child = os.fork()
        except OSError:  # the host has no process left: the clients wait, and the container goes on
            self._again = self._loop.call_later(_AGAIN_S, self._wait)
            return
        if child == 0:
            _become_relay(parent, self._listeners)
        self._pidfd = os.pidfd_open(child)
        self._loop.add_reader(self._pidfd, self._ended)

    def _ended(self) -> None:
        """It is reaped with the other children of the monitor."""
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        self._wait()


def _become_relay(parent: int, listeners: Sequence[Listener]) -> None:
    """In the child; never returns. It keeps the listeners alone of all descriptors."""
    try:
        die_with_parent(parent)
        set_name("buoy:relay")
        _keep_only(sorted(listener.reserved.fileno() for listener in listeners))
        relay(listeners)
    finally:
        os._exit(0)


def _keep_only(fds: list[int]) -> None:
    first = 3
    for fd in fds:
        os.closerange(first, fd)
        first = fd + 1
    close_from(first)
