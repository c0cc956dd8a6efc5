"""Other firewalls of the host, whose drops would kill our traffic (engine.md B4.10).

In nftables an accept ends only its own base chain: a drop anywhere wins. So the FORWARD chains of
Docker, ufw and others that drop are answered by accepts in their own chains, in the form in which
iptables-nft would write them, and firewalld is asked; what cannot be answered is said.
"""

from __future__ import annotations

import errno

from engine.kernel import nftexpressions as nft
from engine.kernel.legacytables import read_forward_chain
from engine.kernel.netlink import accepting
from engine.kernel.nftables import FAMILY_NAMES, NFPROTO_INET
from engine.kernel.nftbatch import HOOK_FORWARD, Batch
from engine.network import firewalld
from engine.network.apart import DOCKER_USER, IPTABLES_TABLE, DockersNetworks
from engine.network.foreignrules import accepted_key, ends_by_dropping, names_interface

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.kernel.nftables import Chain, NftSocket
    from engine.kernel.nftexpressions import Header

_TABLE, _DOCKER = IPTABLES_TABLE, DOCKER_USER
_FORWARD = "FORWARD"


class Neighbours:
    """The chains of others as they are now, beside a table of ours."""

    def __init__(self, netlink: NftSocket, own_table: str) -> None:
        self._netlink, self._own_table = netlink, own_table
        self._chains = netlink.chains()
        self.dockers = DockersNetworks(netlink, own_table, self._chains)

    def faults(self, bridge: str, headers: Sequence[Header]) -> Iterator[str]:
        """Where the bridge's traffic should be let through, and is not. Changes nothing.

        headers   the IP versions that the bridge has traffic of
        """
        for header in headers:
            place = self._place_for_accepts(header.family)
            if place is not None and self._missing_accepts(header.family, place, bridge):
                family = FAMILY_NAMES[header.family]
                yield f"chain `{family} {_TABLE} {place}` does not let {bridge} through"
        if firewalld.is_active(self._chains):
            yield from firewalld.find_faults(bridge)

    def answer(self, bridge: str, headers: Sequence[Header]) -> None:
        """Let the bridge's traffic through, where that is for us to do; may be repeated.

        Changes nothing where no other firewall drops what it does not know.
        """
        for header in headers:
            self.dockers.keep_apart(header)  # before ours are let through
            place = self._place_for_accepts(header.family)
            if place is not None:
                self._ensure_accepts(header.family, place, bridge)
        if firewalld.is_active(self._chains):
            firewalld.admit(bridge)

    def withdraw(self, bridge: str) -> None:
        """Take our accepts out again; accepts absence."""
        for family in (nft.NFPROTO_IPV4, nft.NFPROTO_IPV6):
            for chain in (_DOCKER, _FORWARD):
                batch = Batch(_TABLE, family)
                for rule in self._netlink.rules(_TABLE, chain, family):
                    if accepted_key(rule, bridge) is not None:
                        batch.remove_rule(chain, rule.handle)
                self._commit(batch)
        if firewalld.is_active(self._chains):
            firewalld.dismiss(bridge)

    def unanswered(self, bridge: str, headers: Sequence[Header]) -> Iterator[tuple[str, str]]:
        """What drops the bridge's traffic and is not for us to change; what to do about it."""
        families = [NFPROTO_INET, *(header.family for header in headers)]
        for chain in self._chains:
            met = chain.hook == HOOK_FORWARD and chain.family in families
            if met and not self._is_known(chain):
                yield from self._unanswered_in(chain, bridge)
        if firewalld.is_active(self._chains):
            yield from firewalld.unanswered(bridge)
        legacy = read_forward_chain() if nft.IPV4 in headers else None
        if legacy is not None and legacy.drops and bridge not in legacy.interfaces:
            yield (
                "chain FORWARD of iptables-legacy drops what it does not know",
                f"`iptables-legacy -I FORWARD -i {bridge} -j ACCEPT`, and the same with `-o`, let "
                "its traffic through",
            )

    def _is_known(self, chain: Chain) -> bool:
        """Whether it is ours, or one that we answer."""
        of_iptables = (chain.table, chain.name) == (_TABLE, _FORWARD)
        answered = of_iptables and chain.family != NFPROTO_INET
        return answered or chain.table == self._own_table or firewalld.is_active([chain])

    def _unanswered_in(self, chain: Chain, bridge: str) -> Iterator[tuple[str, str]]:
        rules = self._netlink.rules(chain.table, chain.name, chain.family)
        if (chain.drops or ends_by_dropping(rules)) and not names_interface(rules, bridge):
            place = f"{FAMILY_NAMES[chain.family]} {chain.table} {chain.name}"
            yield (
                f"nftables chain `{place}` drops what it does not know",
                f"`nft insert rule {place} iifname {bridge} accept`, and the same with "
                "`oifname`, let its traffic through",
            )

    def _place_for_accepts(self, family: int) -> str | None:
        """Docker's chain for the user's rules, which it never flushes; else a FORWARD chain that
        drops."""
        found = {c.name: c for c in self._chains if c.family == family and c.table == _TABLE}
        if _DOCKER in found:
            return _DOCKER
        forward = found.get(_FORWARD)
        if forward is None or firewalld.is_active(list(found.values())):  # which is asked
            return None
        drops = forward.drops or ends_by_dropping(self._netlink.rules(_TABLE, _FORWARD, family))
        return _FORWARD if drops else None

    def _ensure_accepts(self, family: int, chain: str, bridge: str) -> None:
        batch = Batch(_TABLE, family)
        for key in self._missing_accepts(family, chain, bridge):
            match = nft.load_meta(key) + nft.compare(_short_name(bridge))
            batch.add_rule(chain, match + nft.counter() + nft.ACCEPT, first=True)
        self._commit(batch)

    def _commit(self, batch: Batch) -> None:
        with accepting(errno.ENOENT):  # they have taken away what was there a moment ago
            self._netlink.commit(batch)

    def _missing_accepts(self, family: int, chain: str, bridge: str) -> list[int]:
        """The meta keys (in, out) by which the bridge is not accepted yet."""
        rules = self._netlink.rules(_TABLE, chain, family)
        present = {accepted_key(rule, bridge) for rule in rules}
        return [key for key in (nft.META_IIFNAME, nft.META_OIFNAME) if key not in present]


def _short_name(bridge: str) -> bytes:
    """As iptables-nft compares a whole name: with its NUL, unpadded."""
    return bridge.encode() + b"\0"
