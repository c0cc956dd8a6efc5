"""Queries that are not ours, handed on to the resolvers that they are for.

The host's resolvers are asked from the host's namespace, so that 127.0.0.53 and those behind a
VPN work; those that the user gave (`dns:`) from the container's (engine.md B6.7, B6.8).
"""

from __future__ import annotations

import socket
import time
from collections import deque

from engine.kernel.namespaces import socket_in
from engine.network.dns import wire
from engine.network.resolv import read_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.kernel.loop import Loop, Timer

    Reply = Callable[[bytes], None]

UPSTREAMS = 3
TIMEOUT_S = 4.0
IN_FLIGHT = 1024
_PORT = 53
_OWN_ADDRESS = "127.0.0.11"  # in the container; at the host it is another engine's, around ours
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
        self._given = bool(servers)
        self._servers = [server for server in servers if server != _OWN_ADDRESS][:UPSTREAMS]
        self._host = host
        self._asking: dict[_Ask, float] = {}  # when its patience ends, the first of them first
        self._waiting: deque[tuple[_Ask, float]] = deque()
        self._is_admitting = False
        self._timer: Timer | None = None

    def ask(self, packet: bytes, reply: Reply, *, tcp: bool) -> None:
        """Have `packet` answered; `reply` gets the whole answer, SERVFAIL when nobody has one.

        At most IN_FLIGHT are out at once, and as many wait for TIMEOUT_S; others are REFUSED.
        """
        asked = _Ask(self, packet, reply, tcp=tcp)
        if len(self._asking) < IN_FLIGHT:
            asked.start(self.upstreams())
        elif len(self._waiting) < IN_FLIGHT:
            self._waiting.append((asked, time.monotonic() + TIMEOUT_S))
        else:
            reply(wire.refuse(packet, wire.REFUSED))

    def close(self) -> None:
        """Forget all that is under way."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        for asked in self._asking:
            asked.stop()
        self._asking.clear()

    def upstreams(self) -> Sequence[str]:
        """Who is asked now, in order."""
        if self._given:
            return self._servers
        return read_host().upstreams[:UPSTREAMS] if self._host else ()

    def open_socket(self, server: str, *, tcp: bool) -> socket.socket:
        """A non-blocking socket for `server`, in the namespace that it is asked from."""
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        if self._given:
            opened = socket_in(self._netns_fd, family, kind)
        else:
            opened = socket.socket(family, kind | socket.SOCK_CLOEXEC)
        opened.setblocking(False)
        return opened

    def sent(self, asked: _Ask) -> None:
        """An upstream has TIMEOUT_S from now on to answer it."""
        self._asking.pop(asked, None)
        self._asking[asked] = time.monotonic() + TIMEOUT_S
        if self._timer is None:  # one for all: with a timer each, thousands would lie in the loop
            self._timer = self.loop.call_later(TIMEOUT_S, self._sweep)

    def finished(self, asked: _Ask) -> None:
        """`asked` has had its answer: the next one that waits may go."""
        self._asking.pop(asked, None)
        if self._is_admitting:  # that it failed at once is seen there
            return
        self._is_admitting = True
        while self._waiting and len(self._asking) < IN_FLIGHT:
            following, _ = self._waiting.popleft()
            following.start(self.upstreams())
        self._is_admitting = False

    def _sweep(self) -> None:
        """Those whose patience has ended; then sleep until that of the next one does."""
        now_s = time.monotonic()
        while self._waiting and self._waiting[0][1] <= now_s:
            asked, _ = self._waiting.popleft()
            asked.reply(wire.refuse(asked.packet, wire.REFUSED))
        for asked in [one for one, due_s in self._asking.items() if due_s <= now_s]:
            asked.try_next()
        self._timer = None
        if self._asking:  # while some wait, others are being asked
            due_s = next(iter(self._asking.values()))
            if self._waiting:
                due_s = min(due_s, self._waiting[0][1])
            self._timer = self.loop.call_later(due_s - time.monotonic(), self._sweep)


class _Ask:
    """One query on its way through the upstreams."""

    __slots__ = ("_in", "_left", "_out", "_owner", "_socket", "_tcp", "packet", "reply")

    def __init__(self, owner: Forwarder, packet: bytes, reply: Reply, *, tcp: bool) -> None:
        self._owner = owner
        self._tcp = tcp
        self._left: deque[str] = deque()
        self._socket: socket.socket | None = None
        self._in, self._out = b"", b""
        self.packet = packet
        self.reply = reply

    def start(self, upstreams: Sequence[str]) -> None:
        """Ask the first of them."""
        self._left.extend(upstreams)
        self.try_next()

    def stop(self) -> None:
        """Let go of the socket; may be repeated."""
        if self._socket is not None:
            self._owner.loop.remove_reader(self._socket.fileno())
            self._owner.loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def try_next(self) -> None:
        """Ask the next one; SERVFAIL where there is none."""
        self.stop()
        while self._left:
            server = self._left.popleft()
            try:
                self._open(server)
            except OSError:  # no route, nobody there, out of descriptors
                self.stop()
                continue
            self._owner.sent(self)
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
            self.try_next()
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
            self.try_next()
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
            self.try_next()
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
            self.try_next()
        else:
            self._finish(answer)

    def _finish(self, answer: bytes) -> None:
        self.stop()
        self.reply(answer)
        self._owner.finished(self)
