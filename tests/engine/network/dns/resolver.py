"""A DNS client, and an upstream that remembers what reached it."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from typing import TYPE_CHECKING

from engine.network import names
from engine.network.dns import wire
from tests.engine.network.world import PATIENCE_S, inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from tests.engine.network.world import Box

A, PTR, MX, AAAA, ANY = 1, 12, 15, 28, 255
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_IMPLEMENTED, REFUSED = range(6)


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


def query(
    name: str,
    kind: int = A,
    *,
    number: int = 0x2345,
    edns_bytes: int = 0,
    network_class: int = wire.CLASS_IN,
) -> bytes:
    """A query for a name, spelt as given."""
    header = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 1 if edns_bytes else 0)
    packet = header + wire.encode_name(name) + struct.pack(">HH", kind, network_class)
    if edns_bytes:
        packet += b"\0" + struct.pack(">HHIH", wire.TYPE_OPT, edns_bytes, 0, 0)
    return packet


def resolve(netns_fd: int | None, packet: bytes, *, tcp: bool = False) -> Answer:
    """The answer of 127.0.0.11:53 in that namespace."""
    with inside(netns_fd):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    with client:
        client.settimeout(PATIENCE_S)
        client.connect(("127.0.0.11", 53))
        if not tcp:
            client.send(packet)
            return Answer(client.recv(65535))
        client.sendall(len(packet).to_bytes(2, "big") + packet)
        with client.makefile("rb") as stream:
            return Answer(stream.read(int.from_bytes(stream.read(2), "big")))


def ask(box: Box, name: str, kind: int = A) -> list[str]:
    """The addresses that a container is told."""
    answer = resolve(box.sandbox.netns_fd, query(name, kind))
    assert answer.rcode == NO_ERROR
    return answer.addresses


def directory_of(box: Box) -> str:
    """Where the names table of its first network is."""
    return str(box.record["endpoints"][0]["directory"])


@contextlib.contextmanager
def many_addresses(box: Box, name: str, addresses: Iterable[str]) -> Iterator[None]:
    """A name that stands for all of them on the box's first network, for a with-block."""
    directory = directory_of(box)
    for number, address in enumerate(addresses):
        entry = names.Entry(
            addresses=(address,),
            container_id=f"{number:064x}",
            holder=names.identity(os.getpid()),
            link="none",
            names=(name,),
        )
        names.put(directory, entry)
    try:
        yield
    finally:
        names.keep(directory, lambda entry: entry.link != "none")


class Upstream:
    """A name server: answers everything with 198.51.100.1, or with one error; over UDP and TCP.

    rcode     None: it answers nothing before it is told to `speak`
    size      answers are padded to so many bytes
    order     gets its address for each query

    asked       (name, whole packet) of each query; transports: udp or tcp
    raw         what it says in place of an answer
    """

    def __init__(
        self,
        address: str,
        *,
        rcode: int | None = 0,
        size: int = 0,
        netns_fd: int | None = None,
        truncate: bool = False,
        order: list[str] | None = None,
    ) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.transports: list[str] = []
        self.raw: bytes | None = None
        self._address, self._order = address, order
        self._rcode, self._size, self._truncate = rcode, size, truncate
        self._held: list[tuple[bytes, tuple[str, int]]] = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with inside(netns_fd):
            self._udp = socket.socket(family, socket.SOCK_DGRAM)
            self._tcp = socket.socket(family, socket.SOCK_STREAM)
            self._waker = socket.socket(family, socket.SOCK_DGRAM)
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
        self._tcp.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            while thread.is_alive():
                self._waker.sendto(b"", self._udp.getsockname())  # lost where its buffer is full
                thread.join(0.1)
        for opened in (self._udp, self._tcp, self._waker):
            opened.close()

    @property
    def names(self) -> list[str]:
        """What it was asked, in order."""
        return [name for name, _ in self.asked]

    def speak(self) -> None:
        """Answer what came in datagrams so far, and all that comes from now on."""
        self._rcode = NO_ERROR
        for packet, client in self._held:
            self._udp.sendto(self._made(packet, tcp=False), client)

    def _serve_udp(self) -> None:
        while True:
            packet, client = self._udp.recvfrom(65535)
            if not packet:
                return
            if self._rcode is None:
                self._held.append((packet, client))
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
                if not packet:  # who asked has gone before it did
                    continue
                answer = self._answer(packet, tcp=True)
                with contextlib.suppress(OSError):
                    client.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, packet: bytes, *, tcp: bool) -> bytes:
        question = wire.parse_question(packet)
        assert question is not None
        self.asked.append((question.name.decode("latin-1"), packet))
        self.transports.append("tcp" if tcp else "udp")
        if self._order is not None:
            self._order.append(self._address)
        if self.raw is not None:
            return self.raw
        return b"" if self._rcode is None else self._made(packet, tcp=tcp)

    def _made(self, packet: bytes, *, tcp: bool) -> bytes:
        question = wire.parse_question(packet)
        assert question is not None
        found = [] if self._rcode else [wire.record(A, bytes([198, 51, 100, 1]), 60)]
        found += [wire.record(A, bytes(4), 60)] * (self._size // 16)
        limit = None if self._truncate and not tcp else 65535
        body = wire.respond(packet, question, found, rcode=self._rcode or NO_ERROR, limit=limit)
        return packet[:2] + body
