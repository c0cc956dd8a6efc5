"""The packets that are sent to find a way, and those that are seen on it.

A TCP probe is a SYN without a socket behind it: the kernel resets what answers, so no program of
the other side ever has a connection to accept.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

from engine.kernel.namespaces import socket_in
from engine.network.trace.facts import Flow, Packet

if TYPE_CHECKING:
    from engine.network.trace.facts import Protocol

_TCP = struct.Struct(">HHIIBBHHH")
_ICMP = struct.Struct(">BBHHH")
_HEADER_BYTES = 5 << 4  # of TCP, in words of 32 bits
_FIN, SYN, _RST, _ACK = 1, 2, 4, 16
_FLAGS = {SYN: "SYN", SYN | _ACK: "SYN ACK"}
ECHO_REQUESTS = (8, 128)  # of ICMP and of ICMPv6
_TYPES = {8: "echo", 0: "echo reply", 128: "echo", 129: "echo reply"}
_ERRORS = (1, 3, 11, 12)  # unreachable, time exceeded, ...; of ICMPv6 all below 128
_WINDOW, _UDP_BYTES = 1024, 8
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class Sender:
    """The sockets of a probe in a namespace: one that has the port, and one to send by."""

    def __init__(
        self, netns_fd: int, protocol: Protocol, source: str, target: str, port: int
    ) -> None:
        with contextlib.ExitStack() as opened:
            self.flow = Flow(
                protocol=protocol,
                source=source,
                target=target,
                source_port=int.from_bytes(os.urandom(2), "big"),
                port=port,
            )
            if protocol != "icmp":
                holder = opened.enter_context(self._open(netns_fd, _KINDS[protocol]))
                self._socket = holder
                self.flow = self.flow.replace(source_port=holder.getsockname()[1])
            if protocol != "udp":
                raw = self._open(netns_fd, socket.SOCK_RAW, self.flow.number)
                self._socket = opened.enter_context(raw)
            self._opened = opened.pop_all()

    def send(self) -> OSError | None:
        """One packet on its way; why the kernel would not have it."""
        flow = self.flow
        content = {"tcp": _syn, "udp": lambda _: b"", "icmp": _echo}[flow.protocol](flow)
        port = flow.port if flow.protocol == "udp" else 0  # a raw socket takes none
        try:
            self._socket.sendto(content, (flow.target, port))
        except OSError as error:
            return error
        return None

    def close(self) -> None:
        """Give the port back."""
        self._opened.close()

    def _open(self, netns_fd: int, kind: int, protocol: int = 0) -> socket.socket:
        opened = socket_in(netns_fd, self.flow.family, kind, protocol)
        try:
            opened.bind((self.flow.source, 0))
        except BaseException:
            opened.close()
            raise
        return opened


def parse_packet(data: bytes) -> Packet | None:
    """What a packet is, from its IP header on; None for what is none of ours."""
    if len(data) < 20:
        return None
    if data[0] >> 4 == 4:
        source, target = (socket.inet_ntop(socket.AF_INET, data[i : i + 4]) for i in (12, 16))
        return _parse(data[9], source, target, data[(data[0] & 15) * 4 :])
    if data[0] >> 4 == 6 and len(data) >= 40:
        source, target = (socket.inet_ntop(socket.AF_INET6, data[i : i + 16]) for i in (8, 24))
        return _parse(data[6], source, target, data[40:])
    return None


def _parse(protocol: int, source: str, target: str, data: bytes) -> Packet | None:
    if len(data) < _UDP_BYTES:
        return None
    source_port, port = struct.unpack_from(">HH", data)
    match protocol:
        case socket.IPPROTO_TCP:
            flags = data[13] if len(data) > 13 else 0
            what = "RST" if flags & _RST else _FLAGS.get(flags & (SYN | _ACK | _FIN), "TCP")
        case socket.IPPROTO_UDP:
            what = "datagram"
        case socket.IPPROTO_ICMP | socket.IPPROTO_ICMPV6:
            return _parse_icmp(source, target, data)
        case _:
            return None
    return Packet(source=source, target=target, source_port=source_port, port=port, what=what)


def _parse_icmp(source: str, target: str, data: bytes) -> Packet | None:
    """An echo has its id as both ports; an error those of the packet that it is about, the other
    way round: as an answer to it would have them."""
    kind = data[0]
    if kind in _TYPES:
        number = int.from_bytes(data[4:6], "big")
        what = _TYPES[kind]
        return Packet(source=source, target=target, source_port=number, port=number, what=what)
    about = parse_packet(data[8:]) if kind in _ERRORS else None
    if about is None:
        return None
    return Packet(
        source=source,
        target=target,
        source_port=about.port,
        port=about.source_port,
        what="unreachable",
    )


def _syn(flow: Flow) -> bytes:
    fields = (flow.source_port, flow.port, 1, 0, _HEADER_BYTES, SYN, _WINDOW)
    pseudo = _packed(flow, flow.source) + _packed(flow, flow.target)
    pseudo += struct.pack(">II", _TCP.size, flow.number)
    return _TCP.pack(*fields, _checksum(pseudo + _TCP.pack(*fields, 0, 0)), 0)


def _echo(flow: Flow) -> bytes:
    """The checksum of ICMPv6 the kernel sets."""
    fields = (flow.source_port, 1)
    kind = ECHO_REQUESTS[flow.family == socket.AF_INET6]
    return _ICMP.pack(kind, 0, _checksum(_ICMP.pack(kind, 0, 0, *fields)), *fields)


def _packed(flow: Flow, address: str) -> bytes:
    return socket.inet_pton(flow.family, address)


def _checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
