"""Packets of one flow as they come by on the links of a namespace.

A packet socket sees what comes in before anything else in the kernel has had it, and what goes
out after everything. Its filter lets only the flow and ICMP through: a busy host costs nothing.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING

from engine.kernel.namespaces import socket_in
from engine.network.trace.facts import Sighting
from engine.network.trace.packets import parse_packet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.network.trace.facts import Flow

_ETH_P_ALL, _SO_ATTACH_FILTER, _PACKET_OUTGOING = 0x0003, 26, 4
_PACKET_BYTES = 2048
_AT_ONCE = 1000
# include/uapi/linux/bpf_common.h
_LOAD_BYTE, _LOAD_HALF, _LOAD_HALF_AFTER = 0x30, 0x28, 0x48
_HEADER_LENGTH, _AND, _EQUAL, _RETURN = 0xB1, 0x54, 0x15, 0x06
_TAKE, _REFUSE = 254, 255  # where to jump, until it is known how far that is

_Instruction = tuple[int, int, int, int]


class Capture:
    """What of a flow comes by in a namespace from now on."""

    def __init__(self, place: str, netns_fd: int, flow: Flow) -> None:
        self._place, self._port = place, flow.source_port
        every = socket.htons(_ETH_P_ALL)
        self._socket = socket_in(netns_fd, socket.AF_PACKET, socket.SOCK_DGRAM, every)
        try:
            self._socket.setblocking(False)
            _attach(self._socket, flow)
            for _ in self.sightings():  # what came before the filter
                pass
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """To wait for."""
        return self._socket.fileno()

    def close(self) -> None:
        """No more."""
        self._socket.close()

    def sightings(self) -> Iterator[Sighting]:
        """Those that have come by since it was last asked: of as many packets as are read in one
        go, or one who pings without end would have it read without end."""
        for _ in range(_AT_ONCE):
            try:
                data, (link, _, kind, *_) = self._socket.recvfrom(_PACKET_BYTES)
            except BlockingIOError:
                return
            except UnicodeDecodeError:  # by a link whose name is no text: Python has lost it
                continue
            packet = parse_packet(data)
            if packet is not None and self._port in (packet.source_port, packet.port):
                yield Sighting(
                    place=self._place, link=link, outgoing=kind == _PACKET_OUTGOING, packet=packet
                )


def _attach(opened: socket.socket, flow: Flow) -> None:
    program = b"".join(struct.pack("=HBBI", *one) for one in _filter(flow))
    buffer = ctypes.create_string_buffer(program)
    given = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, given)


def _filter(flow: Flow) -> list[_Instruction]:
    """Classic BPF: the IP version; then ICMP, or the protocol with the port at either side.

    Offsets count from the IP header. A jump names how many instructions it skips, when equal and
    when not; the last two are what all jumps end at.
    """
    version6 = ":" in flow.target
    icmp = socket.IPPROTO_ICMPV6 if version6 else socket.IPPROTO_ICMP
    start = 40 if version6 else 0
    load = _LOAD_HALF if version6 else _LOAD_HALF_AFTER
    tests: list[_Instruction] = [
        (_LOAD_BYTE, 0, 0, 0),
        (_AND, 0, 0, 0xF0),
        (_EQUAL, 0, _REFUSE, 0x60 if version6 else 0x40),
        (_LOAD_BYTE, 0, 0, 6 if version6 else 9),
        (_EQUAL, _TAKE, 0, icmp),
        (_EQUAL, 0, _REFUSE, flow.number),
        *([] if version6 else [(_HEADER_LENGTH, 0, 0, 0)]),
        (load, 0, 0, start),
        (_EQUAL, _TAKE, 0, flow.source_port),
        (load, 0, 0, start + 2),
        (_EQUAL, _TAKE, _REFUSE, flow.source_port),
    ]
    ends = {_TAKE: len(tests), _REFUSE: len(tests) + 1}
    jumps = [
        (code, *(ends[to] - place - 1 if to in ends else to for to in where), value)
        for place, (code, *where, value) in enumerate(tests)
    ]
    return [*jumps, (_RETURN, 0, 0, _PACKET_BYTES), (_RETURN, 0, 0, 0)]  # type: ignore[list-item]
