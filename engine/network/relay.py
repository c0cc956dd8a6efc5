"""Published ports that the kernel cannot translate: copied, in a process of their own.

[::1] cannot be routed to a bridge, nor can a client be that has a link-local address; and of a
client over IPv6 and a container with IPv4 alone (or the other way) nothing can be translated. So
these connections end here, and others begin (engine.md B5.6). The container sees the host as
the client.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time

from engine.kernel.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.kernel.loop import Timer

IDLE_S = 30.0  # without a connection: then it ends, and the next one starts another
UDP_IDLE_S = 90.0
_MOST_CLIENTS = 1024  # of one container
_CLIENT_FDS, _OWN_FDS = 6, 64  # two sockets, and two pipes while it both sends and is sent to
_PIPE_BYTES = 1 << 16
_SPARE_PIPES = 8
_SPLICE = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
_DATAGRAM_BYTES = 65_507
_IPV6_PKTINFO, _IPV6_RECVPKTINFO = 50, 49  # include/uapi/linux/in6.h
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: the client sees a reset


class Listener:
    """A reserved port that is relayed.

    reserved  its socket: listening for TCP, bound for UDP
    target    address and port of the container
    """

    __slots__ = ("reserved", "target")

    def __init__(self, reserved: socket.socket, target: tuple[str, int]) -> None:
        self.reserved = reserved
        self.target = target

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
        self.pipes = _Pipes()
        self._clients = 0
        self._most_clients = most_clients()
        self._idle: Timer | None = None
        for listener in listeners:
            listener.reserved.setblocking(False)
            take = _accepting(self, listener) if listener.is_tcp else _receiving(self, listener)
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


def _accepting(relay: Relay, listener: Listener) -> Callable[[], None]:
    def accept() -> None:
        try:
            client, _ = listener.reserved.accept()
        except OSError:  # gone again
            return
        if relay.enter():
            _Connection(relay, client, listener.target)
        else:
            client.close()

    return accept


class _Connection:
    """A client's connection and ours to the container, copied both ways, each half to its end."""

    __slots__ = ("_client", "_halves", "_inside", "_relay")

    def __init__(self, relay: Relay, client: socket.socket, target: tuple[str, int]) -> None:
        client.setblocking(False)
        self._relay, self._client = relay, client
        self._inside = socket.socket(_family_of(target), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._halves: list[_Half] = []
        result = self._inside.connect_ex(target)
        if result in (0, errno.EINPROGRESS):
            relay.loop.add_writer(self._inside.fileno(), self._connected)
        else:
            self.abort()

    def _connected(self) -> None:
        loop = self._relay.loop
        loop.remove_writer(self._inside.fileno())
        if self._inside.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.abort()
            return
        for source, sink in ((self._client, self._inside), (self._inside, self._client)):
            self._halves.append(_Half(self._relay, source, sink, self))

    def half_ended(self, half: _Half) -> None:
        """All of one direction has been passed on."""
        half.close()
        self._halves.remove(half)
        if not self._halves:
            self._close()

    def abort(self) -> None:
        """Either side has gone, or never came."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._close()

    def _close(self) -> None:
        for half in self._halves:
            half.close()
        self._halves.clear()
        for end in (self._client, self._inside):
            self._relay.loop.remove_reader(end.fileno())
            self._relay.loop.remove_writer(end.fileno())
            end.close()
        self._relay.left()


class _Half:
    """One direction: spliced through a pipe, so that the bytes stay in the kernel. It has one only
    while something is on its way."""

    __slots__ = ("_connection", "_ended", "_held", "_loop", "_pipe", "_pipes", "_sink", "_source")

    def __init__(
        self,
        relay: Relay,
        source: socket.socket,
        sink: socket.socket,
        connection: _Connection,
    ) -> None:
        self._loop, self._pipes = relay.loop, relay.pipes
        self._source, self._sink, self._connection = source, sink, connection
        self._pipe: tuple[int, int] | None = None
        self._held = 0  # bytes in the pipe
        self._ended = False
        self._loop.add_reader(source.fileno(), self._take)

    def _take(self) -> None:
        pipe = self._pipe = self._pipe or self._pipes.take()
        try:
            count = os.splice(self._source.fileno(), pipe[1], _PIPE_BYTES, flags=_SPLICE)
        except BlockingIOError:
            self.close()
            return
        except OSError:
            self._connection.abort()
            return
        self._held += count
        if not count:
            self._ended = True
            self._loop.remove_reader(self._source.fileno())
        self._give(pipe)

    def _give(self, pipe: tuple[int, int]) -> None:
        while self._held:
            try:
                sent = os.splice(pipe[0], self._sink.fileno(), self._held, flags=_SPLICE)
            except BlockingIOError:
                self._loop.remove_reader(self._source.fileno())
                self._loop.add_writer(self._sink.fileno(), lambda: self._give(pipe))
                return
            except OSError:
                self._connection.abort()
                return
            self._held -= sent
        self.close()
        self._loop.remove_writer(self._sink.fileno())
        if self._ended:
            self._end()
        else:
            self._loop.add_reader(self._source.fileno(), self._take)

    def _end(self) -> None:
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError:  # it has gone meanwhile
            self._connection.abort()
            return
        self._connection.half_ended(self)

    def close(self) -> None:
        """Give the pipe back; what is in it is lost."""
        if self._pipe is not None:
            self._pipes.give_back(self._pipe, is_empty=not self._held)
            self._pipe = None


class _Pipes:
    """Those that are empty, for whoever has something to pass on next."""

    def __init__(self) -> None:
        self._spare: list[tuple[int, int]] = []

    def take(self) -> tuple[int, int]:
        """An empty one."""
        return self._spare.pop() if self._spare else os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def give_back(self, pipe: tuple[int, int], *, is_empty: bool) -> None:
        """It is somebody else's from now on."""
        self._spare.append(pipe)
        if not is_empty or len(self._spare) > _SPARE_PIPES:
            _close(self._spare.pop())

    def close(self) -> None:
        """Keep none; may be repeated."""
        while self._spare:
            _close(self._spare.pop())


def _close(pipe: tuple[int, int]) -> None:
    for fd in pipe:
        os.close(fd)


def _receiving(relay: Relay, listener: Listener) -> Callable[[], None]:
    """Datagrams: one socket to the container for each client, until it is idle."""
    reserved = listener.reserved
    sessions: dict[tuple[object, ...], _Session] = {}
    if reserved.family == socket.AF_INET6:  # the answer has to come from where it was sent to
        reserved.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)

    def receive() -> None:
        try:
            datagram, ancillary, _, client = reserved.recvmsg(_DATAGRAM_BYTES, 64)
        except OSError:  # an ICMP error of an earlier answer
            return
        session = sessions.get(client)
        if session is None:
            if not relay.enter():
                return
            info = [one for one in ancillary if one[1] == _IPV6_PKTINFO]
            session = _Session(relay, listener, client, info, lambda: sessions.pop(client))
            sessions[client] = session
        session.send(datagram)

    return receive


class _Session:
    """A client that sends datagrams."""

    __slots__ = ("_client", "_ended", "_info", "_inside", "_relay", "_reserved", "_used_s")

    def __init__(
        self,
        relay: Relay,
        listener: Listener,
        client: tuple[object, ...],
        info: list[tuple[int, int, bytes]],
        ended: Callable[[], object],
    ) -> None:
        self._relay, self._reserved, self._client = relay, listener.reserved, client
        self._info, self._ended = info, ended
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        self._inside = socket.socket(_family_of(listener.target), kind)
        self._inside.connect(listener.target)
        relay.loop.add_reader(self._inside.fileno(), self._answer)
        self._used_s = time.monotonic()
        relay.loop.call_later(UDP_IDLE_S, self._check)

    def send(self, datagram: bytes) -> None:
        """To the container."""
        self._used_s = time.monotonic()
        try:
            self._inside.send(datagram)
        except OSError:  # nobody listens there now: as on any network, it is lost
            return

    def _answer(self) -> None:
        try:
            datagram = self._inside.recv(_DATAGRAM_BYTES)
            self._reserved.sendmsg([datagram], self._info, 0, self._client)
        except OSError:  # refused, or the client has gone
            return

    def _check(self) -> None:
        """One timer for all of its datagrams: a cancelled one is kept until it would be due."""
        left_s = self._used_s + UDP_IDLE_S - time.monotonic()
        if left_s > 0:
            self._relay.loop.call_later(left_s, self._check)
            return
        self._relay.loop.remove_reader(self._inside.fileno())
        self._inside.close()
        self._ended()
        self._relay.left()


def _family_of(target: tuple[str, int]) -> int:
    return socket.AF_INET6 if ":" in target[0] else socket.AF_INET
