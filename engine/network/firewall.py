"""What the nftables table of an engine holds: its networks and their published ports.

An accept there does not overrule a drop in somebody else's chain: that is `coexistence`.
"""

from __future__ import annotations

import errno
import socket
import struct

from engine.kernel import conntrack
from engine.kernel.netlink import NetlinkError
from engine.kernel.nftables import ERESTART, NftSocket
from engine.kernel.nftbatch import Batch
from engine.kernel.nftexpressions import interface_name
from engine.network.ruleset import (
    BRIDGES,
    INTERNAL,
    PAIRS,
    PUBLISHED,
    PUBLISHED_AT,
    RULES,
    SUBNETS,
    UPLINKS,
    ruleset,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.kernel.nftbatch import Key

PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
ANY_ADDRESS = "0.0.0.0"
_STALE_ATTEMPTS = 10


class Publication:
    """One published port as an element: what it is reached by, where it leads, whose it is.

    holder   `<12 of the container id> <pid>.<start time>` of the monitor whose bound socket
             reserves the port: when that process is gone, the element is stale
    """

    __slots__ = ("address", "holder", "host_ip", "protocol", "published", "target")

    def __init__(
        self, protocol: str, host_ip: str, published: int, address: str, target: int, holder: str
    ) -> None:
        self.protocol = protocol
        self.host_ip = host_ip
        self.published = published
        self.address = address
        self.target = target
        self.holder = holder

    @classmethod
    def parse(cls, shown: str, address: str, holder: str) -> Publication:
        """From `tcp/0.0.0.0:8080->80`, as `shown`."""
        protocol, _, rest = shown.partition("/")
        at, _, target = rest.partition("->")
        host_ip, _, published = at.rpartition(":")
        return cls(protocol, host_ip, int(published), address, int(target), holder)

    @property
    def shown(self) -> str:
        """`tcp/0.0.0.0:8080->80`."""
        return f"{self.protocol}/{self.host_ip}:{self.published}->{self.target}"

    @property
    def map(self) -> str:
        """The map that it is an element of."""
        return PUBLISHED if self.host_ip == ANY_ADDRESS else PUBLISHED_AT

    @property
    def key(self) -> bytes:
        """Its key in that map; fields are padded to four bytes."""
        start = b"" if self.map == PUBLISHED else socket.inet_aton(self.host_ip)
        return start + struct.pack(">BxxxHxx", PROTOCOLS[self.protocol], self.published)

    @property
    def data(self) -> bytes:
        """Container address and port."""
        return socket.inet_aton(self.address) + struct.pack(">Hxx", self.target)


class Firewall:
    """The table of that name, in the network namespace of the thread that uses it first.

    It keeps its socket until `close`: closing one waits an RCU grace period (8 ms, with all of
    nf_tables locked) when something was removed before.
    """

    __slots__ = ("_opened", "table")

    def __init__(self, table: str) -> None:
        self.table = table
        self._opened: NftSocket | None = None

    def close(self) -> None:
        """Close the socket; may be repeated."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def exists(self) -> bool:
        """Whether the table is there, with its rules."""
        return len(self.netlink.rules(self.table, "postrouting")) == len(RULES["postrouting"])

    def has_network(self, bridge: str) -> bool:
        """Whether the table is there and knows the bridge."""
        known = self.netlink.has_element(self.table, BRIDGES, interface_name(bridge))
        return known and self.exists()

    def ensure(self) -> None:
        """The table with sets, chains and rules; elements that are there stay."""
        self.netlink.commit(ruleset(self.table))

    def add_network(self, bridge: str, subnet: tuple[str, int], *, internal: bool) -> None:
        """Let a network work; may be repeated.

        subnet     first address and prefix length
        internal   nothing enters or leaves but by the host itself
        """
        batch = Batch(self.table)
        for name, key in _elements_of(bridge, subnet, internal=internal):
            batch.add_elements(name, [(key, b"", "")])
        self.netlink.commit(batch)

    def remove_network(self, bridge: str, subnet: tuple[str, int], *, internal: bool) -> None:
        """Take a network out; accepts absence."""
        for name, key in _elements_of(bridge, subnet, internal=internal):
            batch = Batch(self.table)
            batch.remove_elements(name, [key])
            self._commit_accepting_absence(batch)

    def guard_uplinks(self, links: Iterable[str]) -> None:
        """Forward nothing between these: the host was no router before we made it one."""
        batch = Batch(self.table)
        batch.add_elements(UPLINKS, [(interface_name(link), b"", "") for link in links])
        self.netlink.commit(batch)

    def remove(self) -> None:
        """Delete the table with all in it; accepts absence."""
        batch = Batch(self.table)
        batch.remove_table()
        self._commit_accepting_absence(batch)

    def publish(self, publications: Iterable[Publication]) -> None:
        """Add the elements, in one batch. One that is there with other data is replaced.

        Who publishes holds the socket that reserves the port, so another one's element under
        the same key was left by a monitor that was killed.
        """
        wanted = list(publications)
        try:
            self.netlink.commit(self._additions(wanted, stale=()))
        except NetlinkError as error:
            if error.errno not in (errno.EEXIST, errno.EBUSY):
                raise
            stale = [p for p in wanted if self.netlink.has_element(self.table, p.map, p.key)]
            self.netlink.commit(self._additions(wanted, stale))
        self._forget_udp(wanted)

    def withdraw(self, publications: Iterable[Publication]) -> None:
        """Take elements out; accepts absence."""
        removed = list(publications)
        try:
            self.netlink.commit(self._removals(removed))
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            for publication in removed:
                self._commit_accepting_absence(self._removals([publication]))
        self._forget_udp(removed)

    def withdraw_stale(self, is_stale: Callable[[str], bool]) -> None:
        """Take out the elements whose holder is stale.

        Unless the tables have changed between looking and taking out: a new holder may have
        replaced the element. Then it looks again.
        """
        for _ in range(_STALE_ATTEMPTS):
            generation = self.netlink.generation()
            stale = [p for p in self.publications() if is_stale(p.holder)]
            try:
                self.netlink.commit(self._removals(stale), generation)
            except NetlinkError as error:
                if error.errno not in (errno.ENOENT, ERESTART):
                    raise
            else:
                self._forget_udp(stale)
                return

    def publications(self) -> list[Publication]:
        """All published ports as the kernel has them."""
        return [
            _read_publication(element.key, element.data, element.comment)
            for name in (PUBLISHED, PUBLISHED_AT)
            for element in self.netlink.elements(self.table, name)
        ]

    @property
    def netlink(self) -> NftSocket:
        """The socket, for what else has to be asked or changed."""
        if self._opened is None:
            self._opened = NftSocket()
        return self._opened

    def _additions(self, wanted: list[Publication], stale: Iterable[Publication]) -> Batch:
        batch = self._removals(stale)
        for name in (PUBLISHED, PUBLISHED_AT):
            elements = [(p.key, p.data, p.holder) for p in wanted if p.map == name]
            batch.add_elements(name, elements, exclusive=True)
        return batch

    def _removals(self, unwanted: Iterable[Publication]) -> Batch:
        batch = Batch(self.table)
        for publication in unwanted:
            batch.remove_elements(publication.map, [publication.key])
        return batch

    def _forget_udp(self, publications: Iterable[Publication]) -> None:
        ports = {p.published for p in publications if p.protocol == "udp"}
        conntrack.forget_udp(self.netlink, ports)

    def _commit_accepting_absence(self, batch: Batch) -> None:
        try:
            self.netlink.commit(batch)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise


def _elements_of(bridge: str, subnet: tuple[str, int], *, internal: bool) -> list[tuple[str, Key]]:
    """(set, key) of all that the table holds of a network."""
    name = interface_name(bridge)
    found: list[tuple[str, Key]] = [(BRIDGES, name), (PAIRS, name + name)]
    found.append((SUBNETS, _interval(*subnet)))
    return [*found, (INTERNAL, name)] if internal else found


def _interval(first: str, prefix_length: int) -> tuple[bytes, bytes]:
    start = socket.inet_aton(first)
    end = int.from_bytes(start, "big") + (1 << (32 - prefix_length))
    return start, end.to_bytes(4, "big")


def _read_publication(key: bytes, data: bytes, holder: str) -> Publication:
    host_ip = ANY_ADDRESS if len(key) == 8 else socket.inet_ntoa(key[:4])
    number, published = struct.unpack(">BxxxHxx", key[-8:])
    protocol = next(name for name, value in PROTOCOLS.items() if value == number)
    target = int.from_bytes(data[4:6], "big")
    return Publication(protocol, host_ip, published, socket.inet_ntoa(data[:4]), target, holder)
