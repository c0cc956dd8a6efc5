"""Who answers whom: probes from many places at once, and who was heard."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.engine.network.world import inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

TCP, UDP, ICMP = "tcp", "udp", "icmp"
WAIT_S = 2.5  # for those of whom no answer is expected
PATIENCE_S = 30.0  # for the others
AGAIN_S = 0.8  # when what has not been answered is asked once more, again and again
ECHO = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}  # the types of request and reply
ICMP_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


@dataclass(frozen=True, order=True)
class Probe:
    """One question: from a place, to an address.

    port    0 with ICMP
    """

    source: str
    protocol: str
    address: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """By the shape of the address."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


def ask_all(
    places: Mapping[str, int | None], probes: Iterable[Probe], wanted: Set[Probe]
) -> dict[Probe, str]:
    """Who answered each: a server's name, `echo` for ICMP; what is not in it got no answer.

    places  network namespaces by name; None is the caller's
    wanted  those of whom an answer is expected: they are waited for
    """
    by_source: defaultdict[str, list[Probe]] = defaultdict(list)
    for probe in probes:
        by_source[probe.source].append(probe)
    asking = _Asking()
    try:
        for source, its in by_source.items():
            with inside(places[source]):
                asking.add(its)
        return asking.result(wanted)
    finally:
        asking.close()


class _Asking:
    def __init__(self) -> None:
        self._poll = select.epoll()
        self._open: dict[int, tuple[socket.socket, Probe]] = {}
        self._echoes: dict[int, tuple[socket.socket, dict[int, Probe]]] = {}
        self._answers: dict[Probe, str] = {}

    def add(self, probes: Iterable[Probe]) -> None:
        """From the namespace that the caller is in."""
        echoes: defaultdict[socket.AddressFamily, list[Probe]] = defaultdict(list)
        for probe in probes:
            if probe.protocol == ICMP:
                echoes[probe.family].append(probe)
            else:
                self._connect(probe)
        for family, wanted in echoes.items():
            self._listen_for_echoes(family, wanted)

    def _connect(self, probe: Probe) -> None:
        kind = socket.SOCK_STREAM if probe.protocol == TCP else socket.SOCK_DGRAM
        client = socket.socket(probe.family, kind | socket.SOCK_NONBLOCK)
        self._open[client.fileno()] = client, probe
        with contextlib.suppress(OSError):  # no route is an answer like another: none
            client.connect_ex((probe.address, probe.port))
            if probe.protocol == UDP:
                client.send(b"who are you?")
            self._poll.register(client.fileno(), select.EPOLLIN)

    def _listen_for_echoes(self, family: socket.AddressFamily, probes: list[Probe]) -> None:
        """One socket, since each hears all the replies of its namespace."""
        raw = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, ICMP_PROTOCOL[family])
        numbered = dict(enumerate(probes, 1))
        self._echoes[raw.fileno()] = raw, numbered
        self._poll.register(raw.fileno(), select.EPOLLIN)
        self._request(raw, numbered)

    @staticmethod
    def _request(raw: socket.socket, numbered: Mapping[int, Probe]) -> None:
        kind = ECHO[socket.AddressFamily(raw.family)][0]
        for number, probe in numbered.items():
            packet = struct.pack("!BBHHH", kind, 0, 0, os.getpid() & 0xFFFF, number)
            packet = packet[:2] + _checksum(packet) + packet[4:]
            with contextlib.suppress(OSError):
                raw.sendto(packet, (probe.address, 0))

    def result(self, wanted: Set[Probe]) -> dict[Probe, str]:
        """Wait for the answers."""
        began_s = time.monotonic()
        again_s = began_s + AGAIN_S
        while self._is_early(time.monotonic() - began_s, wanted):
            for fd, _ in self._poll.poll(0.2):
                self._hear(fd)
            if time.monotonic() > again_s:
                again_s = time.monotonic() + AGAIN_S
                self._ask_again()
        return self._answers

    def _is_early(self, passed_s: float, wanted: Set[Probe]) -> bool:
        return passed_s < (WAIT_S if wanted <= self._answers.keys() else PATIENCE_S)

    def _ask_again(self) -> None:
        for client, probe in self._open.values():
            if probe.protocol == UDP and probe not in self._answers:
                with contextlib.suppress(OSError):
                    client.send(b"who are you?")
        for raw, numbered in self._echoes.values():
            self._request(raw, {n: p for n, p in numbered.items() if p not in self._answers})

    def _hear(self, fd: int) -> None:
        if fd in self._echoes:
            raw, numbered = self._echoes[fd]
            number = _echoed(raw.recv(1000), family=raw.family)
            if number in numbered:
                self._answers[numbered[number]] = "echo"
            return
        client, probe = self._open[fd]
        try:
            answer = client.recv(100).decode()
        except OSError:
            answer = ""
        if answer:
            self._answers[probe] = answer.split()[0]
        if probe.protocol == TCP or answer:  # an error of UDP may be followed by an answer
            self._poll.unregister(fd)

    def close(self) -> None:
        """All sockets."""
        for client, _ in self._open.values():
            client.close()
        for raw, _ in self._echoes.values():
            raw.close()
        self._poll.close()


def _echoed(packet: bytes, *, family: int) -> int | None:
    """The number of the request that a packet replies to; IPv4's header is before it."""
    body = packet[(packet[0] & 15) * 4 :] if family == socket.AF_INET else packet
    kind, _, _, who, number = struct.unpack_from("!BBHHH", body)
    ours = kind == ECHO[socket.AddressFamily(family)][1] and who == os.getpid() & 0xFFFF
    return number if ours else None


def _checksum(packet: bytes) -> bytes:
    """Of IPv4's ICMP (RFC 1071); the kernel writes that of ICMPv6 itself."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)
