"""Queries that are not ours, handed on to the resolvers that they are for.

The host's resolvers are asked from the host's namespace, so that 127.0.0.53 and those behind a
VPN work; those that the user gave (`dns:`) from the container's (spec: engine.md B6.7, B6.8).
"""

from __future__ import annotations

import socket
from collections import deque

from engine.kernel.namespaces import socket_in
from engine.network.dns import wire
from engine.network.resolv import ResolvConf, read_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.kernel.loop import Loop, Timer

    Reply = Callable[[bytes], None]

UPSTREAMS = 3
TIMEOUT_S = 4.0
IN_FLIGHT = 1024
_PORT = 53
_OWN_ADDRESS = "127.0.0.11"
_TRY_NEXT = (wire.SERVER_FAILURE, wire.REFUSED)


class Forwarder:
    """Asks upstreams on behalf of one container, one after the other.

    servers     given by the user; empty: the host's, followed as its resolv.conf changes
    host        whether the host's may be asked: not for a container without a way out
    """

    def __init__(
        self, loop: Loop, netns_fd: int, *, servers: Sequence[str] = (), host: bool = True
    ) -> None:
        self.loop = loop
        self._netns_fd = netns_fd
        self._servers = servers
        self._host = host
        self._asking: set[_Ask] = set()
        self._waiting: deque[tuple[_Ask, Timer]] = deque()

    def ask(self, packet: bytes, reply: Reply, *, tcp: bool) -> None:
        """Have `packet` answered; `reply` gets the whole answer, SERVFAIL when nobody has one.

        At most IN_FLIGHT are out at once; one that waits longer than TIMEOUT_S is REFUSED.
        """
        asked = _Ask(self, packet, reply, tcp=tcp)
        if len(self._asking) < IN_FLIGHT:
            self._start(asked)
            return
        timer = self.loop.call_later(TIMEOUT_S, lambda: self._give_up(asked))
        self._waiting.append((asked, timer))

    def close(self) -> None:
        """Forget all that is under way."""
        for _, timer in self._waiting:
            timer.cancel()
        self._waiting.clear()
        for asked in tuple(self._asking):
            asked.stop()
        self._asking.clear()

    def upstreams(self) -> list[str]:
        """Who is asked now, in order."""
        if self._servers:
            return list(self._servers[:UPSTREAMS])
        if not self._host:
            return []
        found: ResolvConf = read_host()
        return [server for server in found.nameservers if server != _OWN_ADDRESS][:UPSTREAMS]

    def open_socket(self, server: str, *, tcp: bool) -> socket.socket:
        """A non-blocking socket for `server`, in the namespace that it is asked from."""
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        if self._servers:
            opened = socket_in(self._netns_fd, family, kind)
        else:
            opened = socket.socket(family, kind | socket.SOCK_CLOEXEC)
        opened.setblocking(False)
        return opened

    def finished(self, asked: _Ask) -> None:
        """`asked` has had its answer: the next one that waits may go."""
        self._asking.discard(asked)
        if self._waiting and len(self._asking) < IN_FLIGHT:
            following, timer = self._waiting.popleft()
            timer.cancel()
            self._start(following)

    def _start(self, asked: _Ask) -> None:
        self._asking.add(asked)
        asked.start(self.upstreams())

    def _give_up(self, asked: _Ask) -> None:
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not asked)
        asked.reply(wire.refuse(asked.packet, wire.REFUSED))


class _Ask:
    """One query on its way through the upstreams."""

    __slots__ = ("_in", "_left", "_out", "_owner", "_socket", "_tcp", "_timer", "packet", "reply")

    def __init__(self, owner: Forwarder, packet: bytes, reply: Reply, *, tcp: bool) -> None:
        self._owner = owner
        self._tcp = tcp
        self._left: deque[str] = deque()
        self._socket: socket.socket | None = None
        self._timer: Timer | None = None
        self._in, self._out = b"", b""
        self.packet = packet
        self.reply = reply

    def start(self, upstreams: Sequence[str]) -> None:
        """Ask the first of them."""
        self._left.extend(upstreams)
        self._next()

    def stop(self) -> None:
        """Let go of socket and timer; may be repeated."""
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._owner.loop.remove_reader(self._socket.fileno())
            self._owner.loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _next(self) -> None:
        self.stop()
        while self._left:
            server = self._left.popleft()
            try:
                self._open(server)
            except OSError:  # no route, nobody there, out of descriptors
                self.stop()
                continue
            self._timer = self._owner.loop.call_later(TIMEOUT_S, self._next)
            return
        self._finish(wire.refuse(self.packet, wire.SERVER_FAILURE))

    def _open(self, server: str) -> None:
        self._socket = self._owner.open_socket(server, tcp=self._tcp)
        if self._tcp:
            self._in, self._out = b"", len(self.packet).to_bytes(2, "big") + self.packet
            self._socket.connect_ex((server, _PORT))
            self._owner.loop.add_writer(self._socket.fileno(), self._write_tcp)
        else:
            self._socket.connect((server, _PORT))  # only its answers come in
            self._socket.send(self.packet)
            self._owner.loop.add_reader(self._socket.fileno(), self._read_udp)

    def _read_udp(self) -> None:
        if self._socket is None:
            return
        try:
            answer = self._socket.recv(wire.LARGEST_BYTES)
        except BlockingIOError:
            return
        except OSError:  # port unreachable
            self._next()
            return
        self._judge(answer)

    def _write_tcp(self) -> None:
        if self._socket is None:
            return
        try:
            self._out = self._out[self._socket.send(self._out) :]
        except BlockingIOError:
            return
        except OSError:
            self._next()
            return
        if not self._out:
            self._owner.loop.remove_writer(self._socket.fileno())
            self._owner.loop.add_reader(self._socket.fileno(), self._read_tcp)

    def _read_tcp(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(wire.LARGEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._next()
            return
        self._in += data
        end = 2 + int.from_bytes(self._in[:2], "big")
        if len(self._in) >= 2 and len(self._in) >= end:
            self._judge(self._in[2:end])

    def _judge(self, answer: bytes) -> None:
        """Hand a fitting answer on as it is, NXDOMAIN included; a failure is for the next one."""
        if len(answer) < 12 or answer[:2] != self.packet[:2] or not answer[2] & 0x80:
            return
        if wire.rcode_of(answer) in _TRY_NEXT:
            self._next()
        else:
            self._finish(answer)

    def _finish(self, answer: bytes) -> None:
        self.stop()
        self.reply(answer)
        self._owner.finished(self)
