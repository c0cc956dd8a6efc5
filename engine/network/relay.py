"""Published ports that the kernel cannot translate: copied, in a process of their own.

[::1] cannot be routed to a bridge, nor can a client be that has a link-local address; and of a
client over IPv6 and a container with IPv4 alone (or the other way) nothing can be translated. So
these connections end here, and others begin (engine.md B5.6). The container sees the host as
the client.
"""

from __future__ import annotations

import socket

from engine.kernel.loop import Loop
from engine.network.relayed_datagrams import receiving
from engine.network.relayed_streams import Pipes, accepting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.kernel.loop import Timer

IDLE_S = 30.0  # without a connection: then it ends, and the next one starts another
_MOST_CLIENTS = 1024  # of one container
_CLIENT_FDS, _OWN_FDS = 6, 64  # two sockets, and two pipes while it both sends and is sent to


class Listener:
    """A reserved port that is relayed.

    reserved  its socket: listening for TCP, bound for UDP
    target    address and port of the container
    """

    __slots__ = ("reserved", "target")

    def __init__(self, reserved: socket.socket, target: tuple[str, int]) -> None:
        self.reserved = reserved
        self.target = target

    def connection(self) -> socket.socket:
        """A new socket for the way to the container; it waits for nothing."""
        family = socket.AF_INET6 if ":" in self.target[0] else socket.AF_INET
        return socket.socket(family, self.reserved.type | socket.SOCK_NONBLOCK)

    @property
    def is_tcp(self) -> bool:
        """Whether connections are relayed, not datagrams."""
        return self.reserved.type & ~socket.SOCK_CLOEXEC == socket.SOCK_STREAM


def relay(listeners: Sequence[Listener]) -> None:
    """Relay until there has been no client for IDLE_S."""
    Relay(listeners).run()


def most_clients() -> int:
    """How many there may be at once: as many as can have the descriptors that they may need."""
    import resource  # 0.3 ms, and the monitor needs this file, too

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(_MOST_CLIENTS, (soft - _OWN_FDS) // _CLIENT_FDS))


class Relay:
    """The clients of all relayed ports of one container."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._loop = Loop()
        self.pipes = Pipes()
        self._clients = 0
        self._most_clients = most_clients()
        self._idle: Timer | None = None
        for listener in listeners:
            listener.reserved.setblocking(False)
            take = accepting(self, listener) if listener.is_tcp else receiving(self, listener)
            self._loop.add_reader(listener.reserved.fileno(), take)
        self.left(0)

    def run(self) -> None:
        """Serve; returns when it is of no use any more."""
        self._loop.run()

    @property
    def loop(self) -> Loop:
        """Of the process."""
        return self._loop

    def enter(self) -> bool:
        """One client more; False where there are too many."""
        if self._clients >= self._most_clients:
            return False
        self._clients += 1
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        return True

    def left(self, count: int = 1) -> None:
        """A client less."""
        self._clients -= count
        if not self._clients:
            self.pipes.close()
        if not self._clients and self._idle is None:
            self._idle = self._loop.call_later(IDLE_S, self._loop.stop)
