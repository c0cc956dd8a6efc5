"""Docker's containers, which nobody reaches from another network but by what they publish.

What comes from our networks is accepted in Docker's chain for the user's rules (`coexistence`),
so its own rules, which would see to that, never meet it. So ours do: beside Docker nothing of
ours leads to a bridge of others but answers, what is published, and the bridges that are there
and not Docker's. One that comes later may be Docker's: it is closed until the next command.
"""

from __future__ import annotations

from engine.kernel import nftexpressions as nft
from engine.kernel.nftables import FAMILY_NAMES
from engine.kernel.nftbatch import Batch
from engine.kernel.rtnetlink import RouteSocket
from engine.network.foreignrules import interfaces
from engine.network.ruleset import APART, BRIDGES, PASSABLE

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.kernel.nftables import Chain, NftSocket
    from engine.kernel.nftexpressions import Header

IPTABLES_TABLE = "filter"  # of iptables-nft
DOCKER_USER = "DOCKER-USER"
INTO_DOCKERS = "into a network of Docker's, but by a published port"
_OF_DOCKER = "DOCKER"


class DockersNetworks:
    """Docker's rules as they are now, beside a table of ours."""

    def __init__(self, netlink: NftSocket, own_table: str, chains: Iterable[Chain]) -> None:
        self._netlink, self._own_table = netlink, own_table
        self._chains = [chain for chain in chains if chain.table == IPTABLES_TABLE]

    def find_faults(self, header: Header) -> Iterator[str]:
        """Whether ours lead into them. Changes nothing."""
        if self._is_there(header) and not self._has_rule(header):
            place = f"{FAMILY_NAMES[header.family]} {self._own_table} {APART}"
            yield f"Docker's containers are not kept apart (chain `{place}`)"

    def keep_apart(self, header: Header) -> None:
        """Let ours lead into them no more, or where Docker has gone to all bridges again; may be
        repeated."""
        family, there, is_apart = header.family, self._is_there(header), self._has_rule(header)
        if not there and not is_apart:
            return
        passable = self._passable(header) if there else set()
        known = {one.key for one in self._netlink.elements(self._own_table, PASSABLE, family)}
        if there and is_apart and passable == known:
            return
        batch = Batch(self._own_table, family)
        batch.flush_set(PASSABLE)
        batch.add_elements(PASSABLE, [(name, b"", "") for name in sorted(passable)])
        batch.flush_chain(APART)
        if there:
            to_others = nft.oif_is_bridge() + nft.oif_in(PASSABLE, absent=True)
            unpublished = nft.ct_dnat(absent=True) + nft.counter() + nft.DROP
            batch.add_rule(APART, to_others + unpublished, comment=INTO_DOCKERS)
        self._netlink.commit(batch)

    def _is_there(self, header: Header) -> bool:
        return any((c.family, c.name) == (header.family, DOCKER_USER) for c in self._chains)

    def _has_rule(self, header: Header) -> bool:
        return bool(self._netlink.rules(self._own_table, APART, header.family))

    def _passable(self, header: Header) -> set[bytes]:
        """The bridges that are neither Docker's nor ours."""
        own = {one.key for one in self._netlink.elements(self._own_table, BRIDGES, header.family)}
        taken = own | set(self._dockers(header))
        with RouteSocket() as host:
            bridges = {nft.interface_name(one.name) for one in host.links() if one.kind == "bridge"}
        return bridges - taken

    def _dockers(self, header: Header) -> Iterator[bytes]:
        """Those that its rules are about, but for the chain of the user's."""
        for chain in self._chains:
            own = chain.name.startswith(_OF_DOCKER) and chain.name != DOCKER_USER
            if own and chain.family == header.family:
                for rule in self._netlink.rules(IPTABLES_TABLE, chain.name, chain.family):
                    for name in interfaces(rule):
                        yield name.ljust(nft.IFNAMSIZ, b"\0")
