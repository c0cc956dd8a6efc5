"""A DNS client, and an upstream that remembers what reached it."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING

from engine.network.dns import wire
from tests.engine.network.world import inside

if TYPE_CHECKING:
    from types import TracebackType

A, PTR, MX, AAAA = 1, 12, 15, 28


class Answer:
    """What came back: rcode, flags, addresses."""

    def __init__(self, packet: bytes) -> None:
        self.packet = packet
        self.rcode = packet[3] & 0x0F
        self.truncated = bool(packet[2] & 0x02)
        self.authoritative = bool(packet[2] & 0x04)
        self.recursion_available = bool(packet[3] & 0x80)
        self.count = int.from_bytes(packet[6:8], "big")
        question = wire.parse_question(packet[:2] + bytes([packet[2] & 1]) + _asked(packet))
        assert question is not None
        self.spelling = packet[12 : question.end - 4]
        self.data, self.ttl_s = _records(packet, question.end, self.count)

    @property
    def addresses(self) -> list[str]:
        families = {4: socket.AF_INET, 16: socket.AF_INET6}
        packed = [data for data in self.data if len(data) in families]
        return [socket.inet_ntop(families[len(data)], data) for data in packed]


def _asked(packet: bytes) -> bytes:
    return b"\0\0\1" + bytes(6) + packet[12:]


def _records(packet: bytes, place: int, count: int) -> tuple[list[bytes], int]:
    found, ttl_s = [], 0
    for _ in range(count):  # each begins with a pointer to the question
        _, _, ttl_s, length = struct.unpack_from(">HHIH", packet, place + 2)
        found.append(packet[place + 12 : place + 12 + length])
        place += 12 + length
    return found, ttl_s


def query(name: str, kind: int = A, *, number: int = 0x2345, edns_bytes: int = 0) -> bytes:
    """A query for a name, spelt as given."""
    header = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 1 if edns_bytes else 0)
    packet = header + wire.encode_name(name) + struct.pack(">HH", kind, 1)
    if edns_bytes:
        packet += b"\0" + struct.pack(">HHIH", wire.TYPE_OPT, edns_bytes, 0, 0)
    return packet


def resolve(netns_fd: int | None, packet: bytes, *, tcp: bool = False) -> Answer:
    """The answer of 127.0.0.11:53 in that namespace."""
    with inside(netns_fd):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    with client:
        client.settimeout(10)
        client.connect(("127.0.0.11", 53))
        if not tcp:
            client.send(packet)
            return Answer(client.recv(65535))
        client.sendall(len(packet).to_bytes(2, "big") + packet)
        with client.makefile("rb") as stream:
            return Answer(stream.read(int.from_bytes(stream.read(2), "big")))


class Upstream:
    """A name server: answers every A with 198.51.100.1, or with one error; over UDP and TCP.

    rcode     None: it never answers
    size      answers are padded to so many bytes
    """

    def __init__(
        self,
        address: str,
        *,
        rcode: int | None = 0,
        size: int = 0,
        netns_fd: int | None = None,
        truncate: bool = False,
    ) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self._rcode, self._size, self._truncate = rcode, size, truncate
        with inside(netns_fd):
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._waker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, 53))
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind((address, 53))
        self._tcp.listen()
        self._threads = [threading.Thread(target=f) for f in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Upstream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waker.sendto(b"", self._udp.getsockname())
        self._tcp.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for opened in (self._udp, self._tcp, self._waker):
            opened.close()

    @property
    def names(self) -> list[str]:
        """What it was asked, in order."""
        return [name for name, _ in self.asked]

    def _serve_udp(self) -> None:
        while True:
            packet, client = self._udp.recvfrom(65535)
            if not packet:
                return
            answer = self._answer(packet, tcp=False)
            if answer:
                self._udp.sendto(answer, client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                client, _ = self._tcp.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                packet = stream.read(int.from_bytes(stream.read(2), "big"))
                answer = self._answer(packet, tcp=True)
                client.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, packet: bytes, *, tcp: bool) -> bytes:
        question = wire.parse_question(packet)
        assert question is not None
        self.asked.append((question.name.decode(), packet))
        if self._rcode is None:
            return b""
        found = [] if self._rcode else [wire.record(A, bytes([198, 51, 100, 1]), 60)]
        found += [wire.record(A, bytes(4), 60)] * (self._size // 16)
        limit = None if self._truncate and not tcp else 65535
        body = wire.respond(packet, question, found, rcode=self._rcode, limit=limit)
        return packet[:2] + body
