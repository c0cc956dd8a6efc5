"""What the nftables tables of an engine hold: its networks and their published ports.

An accept there does not overrule a drop in somebody else's chain: that is `coexistence`.
"""

from __future__ import annotations

import errno
import os
import socket

from engine.kernel import conntrack
from engine.kernel.netlink import NetlinkError, accepting
from engine.kernel.nftables import ERESTART, NftSocket
from engine.kernel.nftbatch import LONGEST_COMMENT, Batch
from engine.kernel.nftexpressions import IPV4, IPV6, interface_name
from engine.network.options import UNPROTECTED as NAT_UNPROTECTED
from engine.network.publication import Publication
from engine.network.ruleset import (
    BRIDGES,
    INTERNAL,
    MASQUERADED,
    NETWORK_SETS,
    PAIRS,
    PUBLICATION_SETS,
    RULES,
    SOURCES,
    SUBNETS,
    UNPROTECTED,
    UPLINKS,
    ruleset,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from engine.kernel.nftbatch import Key
    from engine.kernel.nftexpressions import Header
    from engine.network.spec import Network, Pool

HEADERS = {4: IPV4, 6: IPV6}
_STALE_ATTEMPTS = 10


class Firewall:
    """The tables of that name, in the network namespace of the thread that uses it first.

    root   of the engine: those that are made say that they are of it

    It keeps its socket until `close`: closing one waits an RCU grace period (8 ms, with all of
    nf_tables locked) when something was removed before.
    """

    __slots__ = ("_comment", "_opened", "table")

    def __init__(self, table: str, root: str = "") -> None:
        self.table = table
        self._comment = root if len(os.fsencode(root)) <= LONGEST_COMMENT else ""
        self._opened: NftSocket | None = None

    def close(self) -> None:
        """Close the socket; may be repeated."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def exists(self, header: Header = IPV4) -> bool:
        """Whether the table of that IP version is there, with its rules."""
        family = header.family
        return all(
            len(self.netlink.rules(self.table, chain, family)) == len(rules)
            for chain, rules in RULES[family].items()
        )

    def has_network(self, network: Network) -> bool:
        """Whether the tables are there and know the network."""
        name = interface_name(network.device)
        return all(
            self.netlink.has_element(self.table, BRIDGES, name, header.family)
            and self.exists(header)
            for header in headers_of(network)
        )

    def ensure(self, header: Header) -> None:
        """The table with sets, chains and rules; elements that are there stay."""
        self.netlink.commit(ruleset(self.table, header, self._comment))

    def add_network(self, network: Network, headers: Iterable[Header]) -> None:
        """Let a network work in the tables of these IP versions; may be repeated."""
        batches = [self._network_batch(network, pool) for pool in network.pools]
        families = [header.family for header in headers]
        self.netlink.commit(*(batch for batch in batches if batch.family in families))

    def hold_only(self, networks: Iterable[Network]) -> None:
        """Have the tables that are there hold these networks and no other, from one moment to
        the next."""
        known = list(networks)
        for version, header in HEADERS.items():
            if not self.exists(header):
                continue
            batch = Batch(self.table, header.family)
            for name in NETWORK_SETS:
                batch.flush_set(name)
            pools = [(network, network.pool(version)) for network in known]
            additions = [self._network_batch(network, pool) for network, pool in pools if pool]
            self.netlink.commit(batch, *additions)

    def remove_network(self, network: Network) -> None:
        """Take a network out; accepts absence."""
        for pool in network.pools:
            removals = []
            for name, key, _ in elements_of(network, pool):
                batch = Batch(self.table, HEADERS[pool.family].family)
                batch.remove_elements(name, [key])
                removals.append(batch)
            self._remove_each(removals)

    def unguarded(self, links: Iterable[str], header: Header) -> list[str]:
        """Those that `guard_uplinks` has to guard, while the table is there."""
        netlink, family = self.netlink, header.family
        return [
            link
            for link in links
            if not netlink.has_element(self.table, UPLINKS, interface_name(link), family)
        ]

    def guard_uplinks(self, links: Iterable[str], header: Header = IPV4) -> None:
        """Forward nothing between these: the host was no router before we made it one."""
        batch = Batch(self.table, header.family)
        batch.add_elements(UPLINKS, [(interface_name(link), b"", "") for link in links])
        self.netlink.commit(batch)

    def remove(self) -> None:
        """Delete the tables with all in them; accepts absence."""
        for header in (IPV4, IPV6):
            batch = Batch(self.table, header.family)
            batch.remove_table()
            self._commit_accepting_absence(batch)

    def publish(self, publications: Iterable[Publication]) -> None:
        """Add the elements, in one batch. One that is there with other data is replaced.

        Who publishes holds the socket that reserves the port, so another one's element under
        the same key was left by a monitor that was killed.
        """
        wanted = list(publications)
        try:
            self.netlink.commit(*self._additions(wanted, stale=()))
        except NetlinkError as error:
            if error.errno not in (errno.EEXIST, errno.EBUSY):
                raise
            stale = [p for p in wanted if self._has(p)]
            self.netlink.commit(*self._additions(wanted, stale))
        self._forget_udp(wanted)

    def withdraw(self, publications: Iterable[Publication]) -> None:
        """Take elements out; accepts absence."""
        removed = list(publications)
        self._remove_each(list(self._removals(removed)))
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
                self.netlink.commit(*self._removals(stale), generation=generation)
            except NetlinkError as error:
                if error.errno not in (errno.ENOENT, ERESTART):
                    raise
            else:
                self._forget_udp(stale)
                return

    def forget_flows(self, networks: Iterable[Network]) -> None:
        """Track no more what came from their addresses, or went to them: nobody has them now."""
        subnets = [pool.subnet for network in networks for pool in network.pools]
        conntrack.forget_subnets(self.netlink, subnets)

    def publications(self) -> list[Publication]:
        """All published ports as the kernel has them."""
        return [
            Publication.of_element(element, header)
            for header in (IPV4, IPV6)
            for name in PUBLICATION_SETS
            for element in self.netlink.elements(self.table, name, header.family)
        ]

    @property
    def netlink(self) -> NftSocket:
        """The socket, for what else has to be asked or changed."""
        if self._opened is None:
            self._opened = NftSocket()
        return self._opened

    def _network_batch(self, network: Network, pool: Pool) -> Batch:
        batch = Batch(self.table, HEADERS[pool.family].family)
        for name, key, data in elements_of(network, pool):
            batch.add_elements(name, [(key, data, "")])
        return batch

    def _has(self, publication: Publication) -> bool:
        family = publication.header.family
        return self.netlink.has_element(self.table, publication.map, publication.key, family)

    def _additions(
        self, wanted: list[Publication], stale: Iterable[Publication]
    ) -> Iterator[Batch]:
        yield from self._removals(stale)
        for header in (IPV4, IPV6):
            batch = Batch(self.table, header.family)
            for name in PUBLICATION_SETS:
                found = [p for p in wanted if p.header is header and p.map == name]
                elements = [(p.key, p.data, p.holder) for p in found]
                batch.add_elements(name, elements, exclusive=True)
            yield batch

    def _removals(self, unwanted: Iterable[Publication]) -> Iterator[Batch]:
        for publication in unwanted:
            batch = Batch(self.table, publication.header.family)
            batch.remove_elements(publication.map, [publication.key])
            yield batch

    def _forget_udp(self, publications: Iterable[Publication]) -> None:
        found = [p for p in publications if p.protocol == "udp"]
        for header, family in ((IPV4, socket.AF_INET), (IPV6, socket.AF_INET6)):
            ports = {p.published for p in found if p.header is header}
            conntrack.forget_udp(self.netlink, ports, family)

    def _remove_each(self, removals: Sequence[Batch]) -> None:
        """All in one; where one of them is not there, each by itself."""
        try:
            self.netlink.commit(*removals)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            for batch in removals:
                self._commit_accepting_absence(batch)

    def _commit_accepting_absence(self, *batches: Batch) -> None:
        with accepting(errno.ENOENT):
            self.netlink.commit(*batches)


def headers_of(network: Network) -> list[Header]:
    """The IP versions of a network."""
    return [HEADERS[pool.family] for pool in network.pools]


def elements_of(network: Network, pool: Pool) -> Iterator[tuple[str, Key, bytes]]:
    """(set, key, data) of all that the table of one IP version holds of a network."""
    name, choices = interface_name(network.device), network.choices
    yield BRIDGES, name, b""
    yield SUBNETS, _interval(pool), b""
    if choices.icc:
        yield PAIRS, name + name, b""
    for trusted in choices.trusted:
        yield PAIRS, interface_name(trusted) + name, b""
    if network.internal:
        yield INTERNAL, name, b""
    elif choices.modes[pool.family] == NAT_UNPROTECTED:
        yield UNPROTECTED, name, b""
    if choices.masquerade[pool.family]:
        yield MASQUERADED, _interval(pool), b""
        source = choices.host_address.get(pool.family)
        if source is not None:
            family = socket.AF_INET if pool.family == 4 else socket.AF_INET6
            yield SOURCES, _interval(pool), socket.inet_pton(family, source)


def _interval(pool: Pool) -> tuple[bytes, bytes]:
    """First address, and the one past the last; nothing is past the end of all addresses."""
    size = HEADERS[pool.family].size
    first = int(pool.subnet.network_address)
    end = (first + pool.subnet.num_addresses) % (1 << 8 * size)
    return first.to_bytes(size, "big"), end.to_bytes(size, "big")
