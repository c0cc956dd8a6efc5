"""nftables by netlink: batches committed, tables, chains, rules and elements read.

No `nft` binary at run time. Source: include/uapi/linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import errno
import socket
import struct

from engine.kernel.netlink import (
    HEADER,
    NETLINK_NETFILTER,
    NLM_F_ACK,
    NLM_F_DUMP,
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
from engine.kernel.nftexpressions import (
    ELEMENT_INTERVAL_END,
    NFPROTO_IPV4,
    NFPROTO_IPV6,
    NFTA_DATA_VALUE,
    NFTA_LIST_ELEM,
    be32,
    value,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.kernel.nftbatch import Batch

NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 0x10, 0x11
NFNL_BATCH_GENID = 1
ERESTART = 85  # include/linux/errno.h: not one of Python's
NFPROTO_INET, NFPROTO_BRIDGE = 1, 7
_ROUTED = (NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET)
FAMILY_NAMES = dict(zip(_ROUTED, ("ip", "ip6", "inet"), strict=True))

GETTABLE, GETCHAIN, GETRULE, GETSETELEM, GETGEN = 1, 4, 7, 13, 16

_SEND_BUFFER_BYTES = 8 << 20


class Table:
    """A table as found."""

    __slots__ = ("comment", "family", "name")

    def __init__(self, body: bytes) -> None:
        given = parse_attributes(body, 4)
        self.family = body[0]
        self.name = _string(given.get(1, b""))
        self.comment = _read_comment(given.get(6, b""))

    @property
    def shown(self) -> str:
        """`ip filter`."""
        return f"{FAMILY_NAMES[self.family]} {self.name}"


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
    """An element of a set or map as found; where keys are intervals, a start or an end."""

    __slots__ = ("comment", "data", "ends_interval", "key")

    def __init__(self, body: bytes) -> None:
        given = parse_attributes(body)
        self.key = parse_attributes(given.get(1, b"")).get(NFTA_DATA_VALUE, b"")
        self.data = parse_attributes(given.get(2, b"")).get(NFTA_DATA_VALUE, b"")
        self.ends_interval = bool(int.from_bytes(given.get(3, b""), "big") & ELEMENT_INTERVAL_END)
        self.comment = _read_comment(given.get(6, b""))


class Rule:
    """A rule as found: its handle, its expressions as they were packed, what is said of it."""

    __slots__ = ("comment", "expressions", "handle")

    def __init__(self, body: bytes) -> None:
        given = parse_attributes(body, 4)
        self.handle = given.get(3, b"")
        self.expressions = given.get(4, b"")
        self.comment = _read_comment(given.get(7, b""))


class NftSocket(NetlinkSocket):
    """nf_tables of one namespace."""

    def __init__(self, opened: socket.socket | None = None) -> None:
        super().__init__(NETLINK_NETFILTER, opened)

    def __enter__(self) -> NftSocket:
        return self

    def commit(self, *batches: Batch, generation: int | None = None) -> None:
        """Apply batches, as one. Raises the NetlinkError of the first refused message; then
        nothing is applied.

        generation   apply only if the tables are still of that generation: else ERESTART

        Only the last message asks for an acknowledgement: errors of the others come anyway.
        """
        messages = [(batch.family, *message) for batch in batches for message in batch.messages]
        if not messages:
            return
        first = self.sequence + 1
        condition = b"" if generation is None else attribute(NFNL_BATCH_GENID, be32(generation))
        packed = [self._frame(NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES, condition)]
        last = len(messages) - 1
        for place, (family, kind, flags, body) in enumerate(messages):
            asked = flags | (NLM_F_ACK if place == last else 0)
            packed.append(self._frame(NFNL_SUBSYS_NFTABLES << 8 | kind, asked, family, 0, body))
        acknowledged = self.sequence
        packed.append(self._frame(NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES, b""))
        datagram = b"".join(packed)
        self._make_room(len(datagram))
        self.socket.send(datagram)
        self._await(first, acknowledged, batches[0].table)

    def generation(self) -> int:
        """A number that every change of any table raises."""
        body = self._ask(GETGEN, 0, b"", flags=0)[0]
        return int.from_bytes(parse_attributes(body, 4)[1], "big")

    def find_element(
        self, table: str, name: str, key: bytes, family: int = NFPROTO_IPV4
    ) -> Element | None:
        """The element of a set with that key; None too when there is no such set."""
        wanted = nested(3, nested(NFTA_LIST_ELEM, value(1, key)))
        body = text(1, table) + text(2, name) + wanted
        found = self._ask(GETSETELEM, family, body, flags=0)
        return _elements(found)[0] if found else None

    def has_element(self, table: str, name: str, key: bytes, family: int = NFPROTO_IPV4) -> bool:
        """Whether a set has that key; False too when there is no such set."""
        return self.find_element(table, name, key, family) is not None

    def elements(self, table: str, name: str, family: int = NFPROTO_IPV4) -> list[Element]:
        """All elements of a set; none when there is no such set."""
        return _elements(self._ask(GETSETELEM, family, text(1, table) + text(2, name)))

    def tables(self) -> list[Table]:
        """All tables of what is routed."""
        return [
            table for table in map(Table, self._ask(GETTABLE, 0, b"")) if table.family in _ROUTED
        ]

    def chains(self, families: tuple[int, ...] = _ROUTED) -> list[Chain]:
        """All chains of the tables of those families; by default of what is routed."""
        found = self._ask(GETCHAIN, 0, b"")
        return [chain for chain in map(Chain, found) if chain.family in families]

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

    def _await(self, first: int, acknowledged: int, table: str) -> None:
        failure: NetlinkError | None = None
        while True:
            for kind, flags, sequence, body in split_messages(self.socket.recv(1 << 18)):
                if kind != NLMSG_ERROR or sequence < first:
                    continue
                what = f"nftables table {table}, change {sequence - first}"
                failure = failure or read_error(body, flags, what)
                # an error of the batch itself (EPERM, a racing change) carries its first number
                if sequence in (first, acknowledged):
                    if failure is not None:
                        raise failure
                    return


def _elements(bodies: list[bytes]) -> list[Element]:
    return [
        Element(data)
        for body in bodies
        for _, data in iterate_attributes(parse_attributes(body, 4).get(3, b""))
    ]


def _read_comment(userdata: bytes) -> str:
    if len(userdata) < 2 or userdata[0] != 0:
        return ""
    return _string(userdata[2 : 2 + userdata[1]])


def _string(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
