"""The DNS of one container, at 127.0.0.11 in its namespace, served from its monitor.

Names of its networks are answered here, all else is forwarded. The hot path is bytes in, bytes
out: answers are kept by all of the query but its id, until a names table changes.
"""

from __future__ import annotations

import socket

from engine.kernel import nftexpressions as nft
from engine.kernel.nftables import HOOK_OUTPUT, PRIORITY_DSTNAT, Batch, NftSocket
from engine.network.dns import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.kernel.loop import Loop, Timer
    from engine.network.dns.forward import Forwarder
    from engine.network.dns.zone import Zone

    Address = tuple[str, int]

ADDRESS = "127.0.0.11"
PORT = 53

# Docker says 600. A container that was scaled up or came back elsewhere would stay unseen for
# ten minutes by clients that cache (nginx's resolver, dnsmasq, the JVM), so: long enough to
# absorb a burst, short enough that nobody notices.
TTL_S = 5

_TABLE = "buoy_dns"
_DRAIN = 64  # queries served before others have their turn
_CACHED_ANSWERS = 4096
_QUERY_BYTES = 4096
_BACKLOG = 64
_CONNECTIONS = 32
_IDLE_S = 10.0
_BIND_ATTEMPTS = 20


class Listeners:
    """The UDP and the TCP socket of the server, on one and the same port."""

    __slots__ = ("tcp", "udp")

    def __init__(self, udp: socket.socket, tcp: socket.socket) -> None:
        self.udp = udp
        self.tcp = tcp

    @classmethod
    def open(cls) -> Listeners:
        """Bind both in the calling thread's namespace, and lead 127.0.0.11:53 to them.

        They do not bind port 53 themselves: a name server in the container could not bind
        0.0.0.0:53 then.
        """
        for attempt in range(_BIND_ATTEMPTS):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            listeners = cls(udp, tcp)
            try:
                udp.bind((ADDRESS, 0))
                tcp.bind(udp.getsockname())
                tcp.listen(_BACKLOG)
                _redirect(udp.getsockname()[1])
            except OSError:
                listeners.close()
                if attempt + 1 == _BIND_ATTEMPTS:
                    raise
                continue
            udp.setblocking(False)
            tcp.setblocking(False)
            return listeners
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Close both; may be repeated."""
        self.udp.close()
        self.tcp.close()


class Server:
    """Answers from a zone, forwards what the zone does not know.

    ndots_given   the user set ndots: names without a dot are then ours alone (engine.md B6.6)
    """

    def __init__(
        self,
        listeners: Listeners,
        zone: Zone,
        forwarder: Forwarder,
        loop: Loop,
        *,
        ndots_given: bool = False,
    ) -> None:
        self._listeners = listeners
        self._zone = zone
        self._forwarder = forwarder
        self._loop = loop
        self._ndots_given = ndots_given
        self._answers: dict[bytes, bytes | list[bytes]] = {}
        self._connections: set[_Connection] = set()
        loop.add_reader(listeners.udp.fileno(), self._serve_udp)
        loop.add_reader(listeners.tcp.fileno(), self._accept)

    def close(self) -> None:
        """Stop serving; the listeners stay open."""
        self._loop.remove_reader(self._listeners.udp.fileno())
        self._loop.remove_reader(self._listeners.tcp.fileno())
        for connection in tuple(self._connections):
            connection.close()
        self._forwarder.close()

    def _serve_udp(self) -> None:
        receive, send = self._listeners.udp.recvfrom, self._listeners.udp.sendto
        refresh, answers = self._zone.refresh, self._answers
        for _ in range(_DRAIN):
            try:
                packet, client = receive(_QUERY_BYTES)
            except BlockingIOError:
                return
            if refresh():
                answers.clear()
            answer = answers.get(packet[2:])
            if answer is None:
                answer = self._resolve_udp(packet, client)
                if answer is None:
                    continue
            if type(answer) is list:  # round robin: the next one's turn
                answer.append(answer.pop(0))
                answer = answer[-1]
            try:
                send(packet[:2] + answer, client)  # type: ignore[operator]
            except OSError:  # its buffer is full, or its own firewall says no: it asks again
                continue

    def _resolve_udp(self, packet: bytes, client: Address) -> bytes | list[bytes] | None:
        question = wire.parse_question(packet)
        if question is None:
            return None
        answer = self._resolve(packet, question, question.limit)
        if answer is None:
            self._forwarder.ask(packet, lambda reply: self._send(reply, client), tcp=False)
            return None
        if len(self._answers) >= _CACHED_ANSWERS:
            self._answers.clear()
        self._answers[packet[2:]] = answer
        return answer

    def _send(self, reply: bytes, client: Address) -> None:
        try:
            self._listeners.udp.sendto(reply, client)
        except OSError:  # as above
            return

    def _resolve(
        self, packet: bytes, question: wire.Question, limit: int
    ) -> bytes | list[bytes] | None:
        """The answer without its id, several to take turns, or None for what is not ours."""
        if question.network_class != wire.CLASS_IN:
            return None
        if question.kind == wire.TYPE_PTR:
            name = self._zone.find_reverse(question.name)
            if name is not None:
                found = wire.record(wire.TYPE_PTR, wire.encode_name(name), TTL_S)
                return wire.respond(packet, question, [found], limit=limit)
        addresses = self._zone.find(question.name)
        if addresses is None:
            bare = b"." not in question.name and question.kind in (wire.TYPE_A, wire.TYPE_AAAA)
            if self._ndots_given and bare and question.name:
                return wire.respond(packet, question, limit=limit)
            return None
        if question.kind not in (wire.TYPE_A, wire.TYPE_ANY):
            # known, but not by such an address: never forwarded, or the NXDOMAIN that comes back
            # makes musl fail the whole lookup
            return wire.respond(packet, question, limit=limit)
        records = [wire.record(wire.TYPE_A, address, TTL_S) for address in addresses]
        turns = [
            wire.respond(packet, question, records[i:] + records[:i], limit=limit)
            for i in range(len(records))
        ]
        return turns if len(turns) > 1 else turns[0]

    def _accept(self) -> None:
        try:
            accepted, _ = self._listeners.tcp.accept()
        except OSError:  # gone again, or out of descriptors: the backlog waits
            return
        if len(self._connections) >= _CONNECTIONS:
            accepted.close()
            return
        self._connections.add(_Connection(accepted, self._loop, self._answer_tcp, self._forget))

    def _answer_tcp(self, packet: bytes, reply: Callable[[bytes], None]) -> None:
        question = wire.parse_question(packet)
        if question is None:
            return
        if self._zone.refresh():
            self._answers.clear()
        answer = self._resolve(packet, question, wire.LARGEST_BYTES)
        if answer is None:
            self._forwarder.ask(packet, reply, tcp=True)
        else:
            reply(packet[:2] + (answer if isinstance(answer, bytes) else answer[0]))

    def _forget(self, connection: _Connection) -> None:
        self._connections.discard(connection)


class _Connection:
    """One client over TCP: queries and answers with their length before them."""

    __slots__ = ("_answer", "_closed", "_idle", "_in", "_loop", "_out", "_socket")

    def __init__(
        self,
        accepted: socket.socket,
        loop: Loop,
        answer: Callable[[bytes, Callable[[bytes], None]], None],
        closed: Callable[[_Connection], None],
    ) -> None:
        accepted.setblocking(False)
        self._socket, self._loop, self._answer, self._closed = accepted, loop, answer, closed
        self._in, self._out = b"", b""
        self._idle: Timer = loop.call_later(_IDLE_S, self.close)
        loop.add_reader(accepted.fileno(), self._read)

    def close(self) -> None:
        """Drop the connection; may be repeated."""
        if self._socket.fileno() < 0:
            return
        self._idle.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._closed(self)

    def _read(self) -> None:
        try:
            data = self._socket.recv(wire.LARGEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._idle.cancel()
        self._idle = self._loop.call_later(_IDLE_S, self.close)
        self._in += data
        while len(self._in) >= 2:
            end = 2 + int.from_bytes(self._in[:2], "big")
            if len(self._in) < end:
                return
            packet, self._in = self._in[2:end], self._in[end:]
            self._answer(packet, self._reply)

    def _reply(self, answer: bytes) -> None:
        if self._socket.fileno() < 0:  # it went away while we asked for it
            return
        self._out += len(answer).to_bytes(2, "big") + answer
        self._write()

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self._out = self._out[sent:]
        if self._out:
            self._loop.add_writer(self._socket.fileno(), self._write)
        else:
            self._loop.remove_writer(self._socket.fileno())


def _redirect(port: int) -> None:
    """DNAT 127.0.0.11:53 to our port, in the calling thread's namespace."""
    batch = Batch(_TABLE)
    batch.add_table()
    batch.add_chain("output", "nat", HOOK_OUTPUT, PRIORITY_DSTNAT)
    batch.flush_chain("output")
    for protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP):
        batch.add_rule(
            "output",
            nft.destination_is(ADDRESS)
            + nft.load_meta(nft.META_L4PROTO)
            + nft.compare(bytes([protocol]))
            + nft.load_payload(nft.TRANSPORT_HEADER, 2, 2)
            + nft.compare(PORT.to_bytes(2, "big"))
            + nft.immediate(port.to_bytes(2, "big"))
            + nft.dnat(address=None, port=nft.REG_1),
        )
    with NftSocket() as netlink:
        netlink.commit(batch)
