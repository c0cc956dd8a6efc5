"""nftables by netlink: tables, chains, sets and elements, one atomic batch at a time.

No `nft` binary at run time; its numbers for data types are used, so that `nft list` can decode
our sets. Source: include/uapi/linux/netfilter/nf_tables.h, libnftnl.
"""

from __future__ import annotations

import errno
import socket
import struct

from engine.kernel.netlink import (
    HEADER,
    NETLINK_NETFILTER,
    NLM_F_ACK,
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    SO_SNDBUFFORCE,
    NetlinkError,
    NetlinkSocket,
    attribute,
    iterate_attributes,
    nested,
    parse_attributes,
    read_error,
    split_messages,
    text,
)
from engine.kernel.nftexpressions import NFTA_DATA_VALUE, NFTA_LIST_ELEM, be32, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Key = bytes | tuple[bytes, bytes]  # of an interval: its first value, and the one past its end

NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 0x10, 0x11
NFNL_BATCH_GENID = 1
ERESTART = 85  # include/linux/errno.h: not one of Python's
NFPROTO_INET, NFPROTO_IPV4 = 1, 2

NEWTABLE, GETTABLE, DELTABLE = 0, 1, 2
NEWCHAIN, GETCHAIN = 3, 4
NEWRULE, GETRULE, DELRULE = 6, 7, 8
NEWSET = 9
NEWSETELEM, GETSETELEM, DELSETELEM = 12, 13, 14
GETGEN = 16

SET_CONSTANT, SET_INTERVAL, SET_MAP = 0x2, 0x4, 0x8
ELEMENT_INTERVAL_END = 0x1

# nft's numbers of data types (src/datatype.c); a concatenation shifts by six bits each
TYPE_IPV4, TYPE_PROTOCOL, TYPE_PORT, TYPE_INTERFACE = 7, 12, 13, 41
_TYPE_BYTES = {TYPE_IPV4: 4, TYPE_PROTOCOL: 1, TYPE_PORT: 2, TYPE_INTERFACE: 16}
_BYTEORDER_HOST, _BYTEORDER_BIG = 1, 2

HOOK_PREROUTING, HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING = range(5)
PRIORITY_RAW, PRIORITY_DSTNAT, PRIORITY_FILTER, PRIORITY_SRCNAT = -300, -100, 0, 100

_ELEMENTS_BYTES = 60_000  # a list of elements is one attribute: under 64 KiB
_SEND_BUFFER_BYTES = 8 << 20


class Chain:
    """A chain as found: what hangs where, and what becomes of what it does not decide."""

    __slots__ = ("drops", "family", "hook", "kind", "name", "table")

    def __init__(self, body: bytes) -> None:
        given = parse_attributes(body, 4)
        self.family = body[0]
        self.table = _string(given.get(1, b""))
        self.name = _string(given.get(3, b""))
        hook = parse_attributes(given.get(4, b""))
        self.hook: int | None = int.from_bytes(hook[1], "big") if 1 in hook else None
        self.drops = 5 in given and int.from_bytes(given[5], "big") == 0
        self.kind = _string(given.get(7, b""))


class Element:
    """An element of a set or map as found."""

    __slots__ = ("comment", "data", "key")

    def __init__(self, body: bytes) -> None:
        given = parse_attributes(body)
        self.key = parse_attributes(given.get(1, b"")).get(NFTA_DATA_VALUE, b"")
        self.data = parse_attributes(given.get(2, b"")).get(NFTA_DATA_VALUE, b"")
        self.comment = _read_comment(given.get(6, b""))


class Rule:
    """A rule as found: its handle, and its expressions as they were packed."""

    __slots__ = ("expressions", "handle")

    def __init__(self, body: bytes) -> None:
        given = parse_attributes(body, 4)
        self.handle = given.get(3, b"")
        self.expressions = given.get(4, b"")


class Batch:
    """Changes to one table that take effect together or not at all."""

    def __init__(self, table: str, family: int = NFPROTO_IPV4) -> None:
        self.table = table
        self.family = family
        self.messages: list[tuple[int, int, bytes]] = []
        self._sets = 0

    def add_table(self) -> None:
        """Make the table; accepts one that is there."""
        self._add(NEWTABLE, NLM_F_CREATE, text(1, self.table))

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

    def add_rule(self, chain: str, *expressions: bytes, first: bool = False) -> None:
        """Put a rule at the end of a chain, or at its head."""
        body = text(1, self.table) + text(2, chain) + nested(4, *expressions)
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


class NftSocket(NetlinkSocket):
    """nf_tables of one namespace."""

    def __init__(self, opened: socket.socket | None = None) -> None:
        super().__init__(NETLINK_NETFILTER, opened)

    def __enter__(self) -> NftSocket:
        return self

    def commit(self, batch: Batch, generation: int | None = None) -> None:
        """Apply a batch. Raises the NetlinkError of the first refused message; then nothing is.

        generation   apply only if the tables are still of that generation: else ERESTART

        Only the last message asks for an acknowledgement: errors of the others come anyway.
        """
        if not batch.messages:
            return
        first = self.sequence + 1
        condition = b"" if generation is None else attribute(NFNL_BATCH_GENID, be32(generation))
        packed = [self._frame(NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES, condition)]
        last = len(batch.messages) - 1
        for place, (kind, flags, body) in enumerate(batch.messages):
            asked = flags | (NLM_F_ACK if place == last else 0)
            packed.append(
                self._frame(NFNL_SUBSYS_NFTABLES << 8 | kind, asked, batch.family, 0, body)
            )
        acknowledged = self.sequence
        packed.append(self._frame(NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES, b""))
        datagram = b"".join(packed)
        self._make_room(len(datagram))
        self.socket.send(datagram)
        self._await(first, acknowledged, batch)

    def generation(self) -> int:
        """A number that every change of any table raises."""
        body = self._ask(GETGEN, 0, b"", flags=0)[0]
        return int.from_bytes(parse_attributes(body, 4)[1], "big")

    def table_exists(self, table: str, family: int = NFPROTO_IPV4) -> bool:
        """Whether there is such a table."""
        return bool(self._ask(GETTABLE, family, text(1, table), flags=0))

    def has_element(self, table: str, name: str, key: bytes) -> bool:
        """Whether a set of an IPv4 table has that key; False too when there is no such set."""
        wanted = nested(3, nested(NFTA_LIST_ELEM, value(1, key)))
        body = text(1, table) + text(2, name) + wanted
        return bool(self._ask(GETSETELEM, NFPROTO_IPV4, body, flags=0))

    def elements(self, table: str, name: str) -> list[Element]:
        """All elements of a set of an IPv4 table; none when there is no such set."""
        found = self._ask(GETSETELEM, NFPROTO_IPV4, text(1, table) + text(2, name))
        return [
            Element(data)
            for body in found
            for _, data in iterate_attributes(parse_attributes(body, 4).get(3, b""))
        ]

    def chains(self) -> list[Chain]:
        """All chains of all IPv4 and inet tables."""
        found = self._ask(GETCHAIN, 0, b"")
        return [c for c in map(Chain, found) if c.family in (NFPROTO_IPV4, NFPROTO_INET)]

    def rules(self, table: str, chain: str, family: int = NFPROTO_IPV4) -> list[Rule]:
        """The rules of a chain in order; none when there is no such chain."""
        found = self._ask(GETRULE, family, text(1, table) + text(2, chain))
        return [Rule(body) for body in found]

    def _ask(self, kind: int, family: int, body: bytes, flags: int = NLM_F_DUMP) -> list[bytes]:
        start = struct.pack(">BBH", family, 0, 0)
        try:
            return self.dump(NFNL_SUBSYS_NFTABLES << 8 | kind, start + body, flags)
        except NetlinkError as error:
            if error.errno == errno.ENOENT:
                return []
            raise

    def _frame(self, kind: int, flags: int, family: int, resource: int, body: bytes) -> bytes:
        self.sequence += 1
        header = HEADER.pack(20 + len(body), kind, flags | NLM_F_REQUEST, self.sequence, 0)
        return header + struct.pack(">BBH", family, 0, resource) + body

    def _make_room(self, size_bytes: int) -> None:
        if size_bytes < 100_000:  # under the default send buffer
            return
        option = SO_SNDBUFFORCE
        self.socket.setsockopt(socket.SOL_SOCKET, option, max(_SEND_BUFFER_BYTES, 2 * size_bytes))

    def _await(self, first: int, acknowledged: int, batch: Batch) -> None:
        failure: NetlinkError | None = None
        while True:
            for kind, flags, sequence, body in split_messages(self.socket.recv(1 << 18)):
                if kind != NLMSG_ERROR or sequence < first:
                    continue
                what = f"nftables table {batch.table}, change {sequence - first}"
                failure = failure or read_error(body, flags, what)
                # an error of the batch itself (EPERM, a racing change) carries its first number
                if sequence in (first, acknowledged):
                    if failure is not None:
                        raise failure
                    return


def _pack_element(key: Key, data: bytes, comment: str) -> Iterator[bytes]:
    start, end = key if isinstance(key, tuple) else (key, None)
    body = value(1, start) + (value(2, data) if data else b"")
    if comment:
        words = comment.encode() + b"\0"
        body += attribute(6, bytes([0, len(words)]) + words)
    yield nested(NFTA_LIST_ELEM, body)
    if end is not None:
        closing = value(1, end) + attribute(3, be32(ELEMENT_INTERVAL_END))
        yield nested(NFTA_LIST_ELEM, closing)


def _read_comment(userdata: bytes) -> str:
    if len(userdata) < 2 or userdata[0] != 0:
        return ""
    return _string(userdata[2 : 2 + userdata[1]])


def _concatenation(types: Sequence[int]) -> int:
    number = 0
    for one in types:
        number = number << 6 | one
    return number


def _length(types: Sequence[int]) -> int:
    return sum((_TYPE_BYTES[one] + 3) & ~3 for one in types)


def _string(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
