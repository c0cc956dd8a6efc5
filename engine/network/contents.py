"""What the tables of an engine hold, beside what they should. Looking only."""

from __future__ import annotations

from engine.kernel.nftexpressions import IPV4, IPV6
from engine.network.firewall import HEADERS, elements_of
from engine.network.ruleset import NETWORK_SETS, PUBLICATION_SETS, RULES

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.kernel.nftables import NftSocket
    from engine.kernel.nftexpressions import Header
    from engine.network.publication import Publication
    from engine.network.spec import Network

    Place = tuple[bytes, bool]  # the key of an element, and whether an interval ends with it

_FAMILIES = {IPV4.family: "ip", IPV6.family: "ip6"}


class Contents:
    """The tables of that name as they are now; each is read once, when it is first asked about."""

    def __init__(self, netlink: NftSocket, table: str) -> None:
        self._netlink, self._table = netlink, table
        self._tables: dict[int, _Table] = {}

    def faults(self, network: Network) -> Iterator[str]:
        """What they do not hold of a network, in plain words."""
        for pool in network.pools:
            table = self._of(HEADERS[pool.family])
            if not table.is_complete:
                yield table.shown_loss
                continue
            for name, key, data in elements_of(network, pool):
                if any(table.lacks(name, place, data) for place in _places(key)):
                    yield f"set `{name}` of {table.shown} does not have it"

    def missing(self, publications: Iterable[Publication]) -> list[Publication]:
        """Those that a table which is there does not hold."""
        found = []
        for one in publications:
            table = self._of(one.header)
            if table.is_complete and table.lacks(one.map, (one.key, False), one.data):
                found.append(one)
        return found

    def stale(self, networks: Iterable[Network]) -> Iterator[str]:
        """What they hold of networks that there are not, in plain words."""
        pools = [(network, pool) for network in networks for pool in network.pools]
        for header in (IPV4, IPV6):
            wanted = {
                (name, place)
                for network, pool in pools
                if HEADERS[pool.family] is header
                for name, key, _ in elements_of(network, pool)
                for place in _places(key)
            }
            table = self._of(header)
            for name in sorted({name for name, _ in table.network_places() - wanted}):
                yield f"set `{name}` of {table.shown} has elements of no network"

    def _of(self, header: Header) -> _Table:
        if header.family not in self._tables:
            self._tables[header.family] = _Table(self._netlink, self._table, header)
        return self._tables[header.family]


class _Table:
    def __init__(self, netlink: NftSocket, table: str, header: Header) -> None:
        family = header.family
        self.shown = f"nftables table `{_FAMILIES[family]} {table}`"
        counts = {chain: len(netlink.rules(table, chain, family)) for chain in RULES[family]}
        self._is_there = any(counts.values())
        self._changed = [name for name in counts if counts[name] != len(RULES[family][name])]
        self._sets: dict[str, dict[Place, bytes]] = {
            name: {
                (one.key, one.ends_interval): one.data
                for one in netlink.elements(table, name, family)
            }
            for name in (*NETWORK_SETS, *PUBLICATION_SETS)
        }

    @property
    def is_complete(self) -> bool:
        """Whether it is there, with its rules."""
        return not self._changed

    @property
    def shown_loss(self) -> str:
        """What of that is not so, in plain words."""
        if not self._is_there:
            return f"{self.shown} is gone"
        return f"{self.shown} has other rules in {', '.join(self._changed)}"

    def lacks(self, name: str, place: Place, data: bytes) -> bool:
        """Whether a set does not have that element, or has other data with it."""
        found = self._sets[name].get(place)
        return found is None or (not place[1] and found != data)

    def network_places(self) -> set[tuple[str, Place]]:
        """All elements of networks, with the set that they are in."""
        return {(name, place) for name in NETWORK_SETS for place in self._sets[name]}


def _places(key: bytes | tuple[bytes, bytes]) -> tuple[Place, ...]:
    if isinstance(key, tuple):
        return (key[0], False), (key[1], True)
    return ((key, False),)
