"""What the tables of an engine hold, beside what they should. Looking only."""

from __future__ import annotations

from engine.kernel.nftables import FAMILY_NAMES
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


class Contents:
    """The tables of that name as they are now.

    whole   their sets are read once, for who asks of all networks; else each element is asked
            for by itself, whose cost does not grow with the number of networks
    """

    def __init__(self, netlink: NftSocket, table: str, *, whole: bool) -> None:
        self._netlink, self._table, self._whole = netlink, table, whole
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

    def is_complete(self, header: Header) -> bool:
        """Whether the table of that IP version is there, with its rules."""
        return self._of(header).is_complete

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
            kind = _WholeTable if self._whole else _Table
            self._tables[header.family] = kind(self._netlink, self._table, header)
        return self._tables[header.family]


class _Table:
    def __init__(self, netlink: NftSocket, table: str, header: Header) -> None:
        family = header.family
        self.shown = f"nftables table `{FAMILY_NAMES[family]} {table}`"
        self._netlink, self._name, self._family = netlink, table, family
        counts = {chain: len(netlink.rules(table, chain, family)) for chain in RULES[family]}
        self._is_there = any(counts.values())
        self._changed = [name for name in counts if counts[name] != len(RULES[family][name])]

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
        key, ends_interval = place
        if ends_interval:  # the kernel is asked for an interval by its start
            return False
        found = self._netlink.find_element(self._name, name, key, self._family)
        return found is None or found.data != data

    def network_places(self) -> set[tuple[str, Place]]:
        """All elements of networks, with the set that they are in."""
        return {
            (name, (one.key, one.ends_interval))
            for name in NETWORK_SETS
            for one in self._netlink.elements(self._name, name, self._family)
        }


class _WholeTable(_Table):
    def __init__(self, netlink: NftSocket, table: str, header: Header) -> None:
        super().__init__(netlink, table, header)
        self._sets: dict[str, dict[Place, bytes]] = {
            name: {
                (one.key, one.ends_interval): one.data
                for one in netlink.elements(table, name, header.family)
            }
            for name in (*NETWORK_SETS, *PUBLICATION_SETS)
        }

    def lacks(self, name: str, place: Place, data: bytes) -> bool:
        found = self._sets[name].get(place)
        return found is None or (not place[1] and found != data)


def _places(key: bytes | tuple[bytes, bytes]) -> tuple[Place, ...]:
    if isinstance(key, tuple):
        return (key[0], False), (key[1], True)
    return ((key, False),)
