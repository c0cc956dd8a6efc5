"""Changes of nftables as messages: one batch takes effect together or not at all.

nft's numbers for data types are used, so that `nft list` can decode our sets.
Source: include/uapi/linux/netfilter/nf_tables.h, libnftnl.
"""

from __future__ import annotations

import struct

from engine.kernel.netlink import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    attribute,
    nested,
    text,
)
from engine.kernel.nftexpressions import (
    ELEMENT_INTERVAL_END,
    NFPROTO_IPV4,
    NFTA_LIST_ELEM,
    be32,
    value,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Key = bytes | tuple[bytes, bytes]  # of an interval: its first value, and the one past its end

NEWTABLE, DELTABLE, NEWCHAIN = 0, 2, 3
NEWRULE, DELRULE, NEWSET = 6, 8, 9
NEWSETELEM, DELSETELEM = 12, 14

SET_INTERVAL, SET_MAP = 0x4, 0x8
_TABLE_OWNER = 0x2

# nft's numbers of data types (src/datatype.c); a concatenation shifts by six bits each
TYPE_IPV4, TYPE_IPV6, TYPE_PROTOCOL, TYPE_PORT, TYPE_INTERFACE = 7, 8, 12, 13, 41
_TYPE_BYTES = {TYPE_IPV4: 4, TYPE_IPV6: 16, TYPE_PROTOCOL: 1, TYPE_PORT: 2, TYPE_INTERFACE: 16}
_BYTEORDER_HOST, _BYTEORDER_BIG = 1, 2

HOOK_PREROUTING, HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING = range(5)
PRIORITY_RAW, PRIORITY_DSTNAT, PRIORITY_FILTER, PRIORITY_SRCNAT = -300, -100, 0, 100

LONGEST_COMMENT = 127
_ELEMENTS_BYTES = 60_000  # a list of elements is one attribute: under 64 KiB


class Batch:
    """Changes to one table that take effect together or not at all."""

    def __init__(self, table: str, family: int = NFPROTO_IPV4) -> None:
        self.table = table
        self.family = family
        self.messages: list[tuple[int, int, bytes]] = []
        self._sets = 0

    def add_table(self, *, owned: bool = False, comment: str = "") -> None:
        """Make the table; accepts one that is there. The kernel deletes an `owned` one when the
        socket is closed that it was made by (Linux 5.12)."""
        body = text(1, self.table) + (attribute(2, be32(_TABLE_OWNER)) if owned else b"")
        if comment:
            body += attribute(6, _userdata(comment))
        self._add(NEWTABLE, NLM_F_CREATE, body)

    def remove_table(self) -> None:
        """Delete the table with all in it; ENOENT when it is not there."""
        self._add(DELTABLE, 0, text(1, self.table))

    def add_chain(self, name: str, kind: str = "", hook: int = 0, priority: int = 0) -> None:
        """Make a chain, a base chain with policy accept when `kind` (filter, nat) is given."""
        body = text(1, self.table) + text(3, name)
        if kind:
            place = attribute(1, be32(hook)) + attribute(2, be32(priority))
            body += nested(4, place) + attribute(5, be32(1)) + text(7, kind)
        self._add(NEWCHAIN, NLM_F_CREATE, body)

    def add_rule(
        self, chain: str, *expressions: bytes, first: bool = False, comment: str = ""
    ) -> None:
        """Put a rule at the end of a chain, or at its head. `nft list` shows the comment."""
        body = text(1, self.table) + text(2, chain) + nested(4, *expressions)
        if comment:
            body += attribute(7, _userdata(comment))
        self._add(NEWRULE, NLM_F_CREATE | (0 if first else NLM_F_APPEND), body)

    def remove_rule(self, chain: str, handle: bytes) -> None:
        """Delete the rule with that handle."""
        self._add(DELRULE, 0, text(1, self.table) + text(2, chain) + attribute(3, handle))

    def flush_chain(self, chain: str) -> None:
        """Delete all rules of a chain."""
        self._add(DELRULE, 0, text(1, self.table) + text(2, chain))

    def add_set(
        self, name: str, key: Sequence[int], data: Sequence[int] = (), *, interval: bool = False
    ) -> None:
        """Make a set of such keys, a map when `data` is given; `interval`: keys are ranges."""
        self._sets += 1
        flags = (SET_INTERVAL if interval else 0) | (SET_MAP if data else 0)
        body = text(1, self.table) + text(2, name) + attribute(3, be32(flags))
        body += attribute(4, be32(_concatenation(key))) + attribute(5, be32(_length(key)))
        if data:
            body += attribute(6, be32(_concatenation(data))) + attribute(7, be32(_length(data)))
        order = _BYTEORDER_HOST if key[0] == TYPE_INTERFACE else _BYTEORDER_BIG
        hint = b"\x00\x04" + struct.pack("=I", order)  # for `nft list` alone
        self._add(
            NEWSET, NLM_F_CREATE, body + attribute(10, be32(self._sets)) + attribute(13, hint)
        )

    def add_elements(
        self, name: str, elements: Iterable[tuple[Key, bytes, str]], *, exclusive: bool = False
    ) -> None:
        """Put (key, data, comment) into a set; data is empty but in maps, the comment may be.

        An element that is there with the same data is accepted unless `exclusive`; one with
        other data is EEXIST.
        """
        flags = NLM_F_CREATE | (NLM_F_EXCL if exclusive else 0)
        packed = (part for element in elements for part in _pack_element(*element))
        self._elements(NEWSETELEM, flags, name, packed)

    def remove_elements(self, name: str, keys: Iterable[Key]) -> None:
        """Take keys out of a set; ENOENT when one is not in it."""
        self._elements(DELSETELEM, 0, name, (p for k in keys for p in _pack_element(k, b"", "")))

    def flush_set(self, name: str) -> None:
        """Take all elements out of a set."""
        self._add(DELSETELEM, 0, text(1, self.table) + text(2, name))

    def _elements(self, kind: int, flags: int, name: str, packed: Iterable[bytes]) -> None:
        start = text(1, self.table) + text(2, name)
        part: list[bytes] = []
        size = 0
        for element in packed:
            if size + len(element) > _ELEMENTS_BYTES:
                self._add(kind, flags, start + nested(3, *part))
                part, size = [], 0
            part.append(element)
            size += len(element)
        if part:
            self._add(kind, flags, start + nested(3, *part))

    def _add(self, kind: int, flags: int, body: bytes) -> None:
        self.messages.append((kind, flags, body))


def _pack_element(key: Key, data: bytes, comment: str) -> Iterator[bytes]:
    start, end = key if isinstance(key, tuple) else (key, None)
    body = value(1, start) + (value(2, data) if data else b"")
    if comment:
        body += attribute(6, _userdata(comment))
    yield nested(NFTA_LIST_ELEM, body)
    if end is not None:
        closing = value(1, end) + attribute(3, be32(ELEMENT_INTERVAL_END))
        yield nested(NFTA_LIST_ELEM, closing)


def _userdata(comment: str) -> bytes:
    """A comment as nft keeps it, of at most LONGEST_COMMENT bytes."""
    words = comment.encode() + b"\0"
    return bytes([0, len(words)]) + words


def _concatenation(types: Sequence[int]) -> int:
    number = 0
    for one in types:
        number = number << 6 | one
    return number


def _length(types: Sequence[int]) -> int:
    return sum((_TYPE_BYTES[one] + 3) & ~3 for one in types)
