"""A name, asked where the programs of a container ask: 127.0.0.11 in its namespace."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

from engine.kernel.namespaces import socket_in
from engine.network.dns.wire import (
    CLASS_IN,
    TYPE_A,
    TYPE_AAAA,
    encode_name,
    rcode_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = "127.0.0.11"
_PATIENCE_S = 3.0  # it may have to ask the host's resolvers
_TYPES = {4: TYPE_A, 6: TYPE_AAAA}
_FAMILIES = {TYPE_A: socket.AF_INET, TYPE_AAAA: socket.AF_INET6}
_POINTER = 0xC0
_RECURSION_DESIRED = 0x0100


def look_up(netns_fd: int, name: str, version: int) -> list[str]:
    """Addresses of that IP version; none: there are none.

    Raises OSError where nobody answers, or with what is no answer: it may be of the container.
    """
    number = int.from_bytes(os.urandom(2), "big")
    query = struct.pack(">HHHHHH", number, _RECURSION_DESIRED, 1, 0, 0, 0)
    query += encode_name(name) + struct.pack(">HH", _TYPES[version], CLASS_IN)
    with socket_in(netns_fd, socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_PATIENCE_S)
        asking.connect((SERVER, 53))
        asking.send(query)
        answer = asking.recv(65_535)
    try:
        return _read(answer, len(query), _TYPES[version])
    except (IndexError, ValueError, struct.error):
        raise OSError(errno.EBADMSG, "what came back is no answer") from None


def _read(answer: bytes, place: int, wanted: int) -> list[str]:
    if rcode_of(answer):
        return []
    found = [data for kind, data in _records(answer, place) if kind == wanted]
    return [socket.inet_ntop(_FAMILIES[wanted], data) for data in found]


def _records(answer: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    """(type, data) of each answer; they begin behind the question, which is as it was asked."""
    (count,) = struct.unpack_from(">H", answer, 6)
    for _ in range(count):
        place = _after_name(answer, place)
        kind, _, _, length = struct.unpack_from(">HHIH", answer, place)
        place += 10
        yield kind, answer[place : place + length]
        place += length


def _after_name(answer: bytes, place: int) -> int:
    while length := answer[place]:
        if length & _POINTER == _POINTER:
            return place + 2
        place += length + 1
    return place + 1
