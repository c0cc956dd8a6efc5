"""The DNS of one container, at 127.0.0.11 in its namespace, served from its monitor.

Names of its networks are answered here, all else is forwarded. The hot path is bytes in, bytes
out: answers are kept by all of the query but its id, until a names table changes.
"""

from __future__ import annotations

from engine.network.dns import wire
from engine.network.dns.connection import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.kernel.loop import Loop
    from engine.network.dns.connection import Reply
    from engine.network.dns.forward import Forwarder
    from engine.network.dns.listeners import Listeners
    from engine.network.dns.zone import Zone

    Address = tuple[str, int]

# Docker says 600. A container that was scaled up or came back elsewhere would stay unseen for
# ten minutes by clients that cache (nginx's resolver, dnsmasq, the JVM), so: long enough to
# absorb a burst, short enough that nobody notices.
TTL_S = 5

_ADDRESS_BYTES = ((wire.TYPE_A, 4), (wire.TYPE_AAAA, 16))
_DRAIN = 64  # queries served before others have their turn
_CACHED_ANSWERS = 2048
_CACHED_QUERY_BYTES = 320  # a longer one is no honest question
_QUERY_BYTES = 4096
_CONNECTIONS = 32


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
        self._connections: set[Connection] = set()
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
        answers = self._answers
        self._refresh()
        for _ in range(_DRAIN):
            try:
                packet, client = receive(_QUERY_BYTES)
            except OSError:  # nothing left, as a rule
                return
            answer = answers.get(packet[2:])
            if answer is None:
                answer = self._resolve_udp(packet, client)
                if answer is None:
                    continue
            elif type(answer) is list:  # round robin: the next one's turn
                answer.insert(1, answer.pop(-2))
                answer = b"".join(answer)
            try:
                send(packet[:2] + answer, client)  # type: ignore[operator]
            except OSError:  # its buffer is full, or its own firewall says no: it asks again
                continue

    def _refresh(self) -> bool:
        """Whether the zone is as the tables have it now."""
        try:
            if self._zone.refresh():
                self._answers.clear()
        except (OSError, ValueError):  # out of descriptors, or somebody's hand was in a table
            self._answers.clear()
            return False
        return True

    def _resolve_udp(self, packet: bytes, client: Address) -> bytes | None:
        parts = self._resolve(packet, lambda reply: self._send(reply, client), tcp=False)
        if parts is None:
            return None
        answer = b"".join(parts)
        # one that is cut is made anew: others are to be among those that fit
        if len(packet) <= _CACHED_QUERY_BYTES and not wire.is_truncated(answer):
            if len(self._answers) >= _CACHED_ANSWERS:
                self._answers.clear()
            self._answers[packet[2:]] = answer if len(parts) < 4 else parts
        return answer

    def _send(self, reply: bytes, client: Address) -> None:
        try:
            self._listeners.udp.sendto(reply, client)
        except OSError:  # as above
            return

    def _resolve(self, packet: bytes, reply: Reply, *, tcp: bool) -> list[bytes] | None:
        """The answer without its id, in parts; None: there is none, or `reply` gets it."""
        question = wire.parse_question(packet)
        if question is None:
            return None
        if not self._refresh():  # again, since a name may have come while others were answered
            reply(wire.refuse(packet, wire.SERVER_FAILURE))
            return None
        limit = wire.LARGEST_BYTES if tcp else question.limit
        answer = self._find(packet, question, limit)
        if answer is None:
            self._forwarder.ask(packet, reply, tcp=tcp)
        return answer

    def _find(self, packet: bytes, question: wire.Question, limit: int) -> list[bytes] | None:
        """The same, from the zone; None for what is not ours."""
        if question.network_class != wire.CLASS_IN:
            return None
        if question.kind == wire.TYPE_PTR:
            name = self._zone.find_reverse(question.name)
            if name is not None:
                found = wire.record(wire.TYPE_PTR, wire.encode_name(name), TTL_S)
                return wire.respond_in_parts(packet, question, [found], limit=limit)
        addresses = self._zone.find(question.name)
        if addresses is None:
            bare = b"." not in question.name and question.kind in (wire.TYPE_A, wire.TYPE_AAAA)
            if self._ndots_given and bare and question.name:
                return wire.respond_in_parts(packet, question, limit=limit)
            return None
        # known, but perhaps not by such an address: never forwarded, or the NXDOMAIN that comes
        # back makes musl fail the whole lookup
        records = [
            wire.record(kind, address, TTL_S)
            for kind, size in _ADDRESS_BYTES
            if question.kind in (kind, wire.TYPE_ANY)
            for address in addresses
            if len(address) == size
        ]
        first = int.from_bytes(packet[:2], "big") % (len(records) or 1)  # ids are random
        turned = records[first:] + records[:first]
        return wire.respond_in_parts(packet, question, turned, limit=limit)

    def _accept(self) -> None:
        try:
            accepted, _ = self._listeners.tcp.accept()
        except OSError:  # gone again, or out of descriptors: the backlog waits
            return
        if len(self._connections) >= _CONNECTIONS:
            accepted.close()
            return
        self._connections.add(Connection(accepted, self._loop, self._answer_tcp, self._forget))

    def _answer_tcp(self, packet: bytes, reply: Reply) -> None:
        parts = self._resolve(packet, reply, tcp=True)
        if parts is not None:
            reply(packet[:2] + b"".join(parts))

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
