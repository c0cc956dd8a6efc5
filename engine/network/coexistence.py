"""Other firewalls of the host, whose drops would kill our traffic (engine.md B4.10).

In nftables an accept ends only its own base chain: a drop anywhere wins. So Docker's and ufw's
FORWARD policies are answered by accepts in their own chains, in the form in which iptables-nft
would write them; what cannot be answered is said.
"""

from __future__ import annotations

from engine.kernel import nftexpressions as nft
from engine.kernel.netlink import iterate_attributes, parse_attributes
from engine.kernel.nftables import NFPROTO_INET
from engine.kernel.nftbatch import HOOK_FORWARD, Batch

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.kernel.nftables import Chain, NftSocket, Rule
    from engine.kernel.nftexpressions import Header

_TABLE = "filter"  # of iptables-nft
_DOCKER = "DOCKER-USER"
_FORWARD = "FORWARD"
_FIREWALLD = "firewalld"
_FORM = ["meta", "cmp", "counter", "immediate"]  # iptables -i NAME -j ACCEPT
_FAMILY_NAMES = {NFPROTO_INET: "inet", nft.NFPROTO_IPV4: "ip", nft.NFPROTO_IPV6: "ip6"}
_LEGACY_TABLES = "/proc/net/ip_tables_names"


def answer(netlink: NftSocket, bridge: str, own_table: str, headers: Sequence[Header]) -> list[str]:
    """Let the bridge's traffic through the other firewalls; what could not be, in plain words.

    headers   the IP versions that the bridge has traffic of

    May be repeated. Changes nothing where no other firewall drops what it does not know.
    """
    chains = netlink.chains()
    for header in headers:
        place = _place_for_accepts(chains, header.family)
        if place is not None:
            _ensure_accepts(netlink, header.family, place, bridge)
    families = [NFPROTO_INET, *(header.family for header in headers)]
    met = [chain for chain in chains if chain.family in families]
    return [*_unanswered(met, own_table, bridge), *_legacy()]


def find_faults(netlink: NftSocket, bridge: str, headers: Sequence[Header]) -> Iterator[str]:
    """Where an accept of ours should be in a chain of others, and is not. Changes nothing."""
    chains = netlink.chains()
    for header in headers:
        place = _place_for_accepts(chains, header.family)
        if place is not None and _missing_accepts(netlink, header.family, place, bridge):
            family = _FAMILY_NAMES[header.family]
            yield f"chain `{family} {_TABLE} {place}` does not let {bridge} through"


def withdraw(netlink: NftSocket, bridge: str) -> None:
    """Take our accepts out again; accepts absence."""
    for family in (nft.NFPROTO_IPV4, nft.NFPROTO_IPV6):
        for chain in (_DOCKER, _FORWARD):
            batch = Batch(_TABLE, family)
            for rule in netlink.rules(_TABLE, chain, family):
                if _accepted_key(rule, bridge) is not None:
                    batch.remove_rule(chain, rule.handle)
            netlink.commit(batch)


def _place_for_accepts(chains: Sequence[Chain], family: int) -> str | None:
    """Docker's chain for the user's rules, which it never flushes; else a dropping FORWARD."""
    ours = {c.name: c for c in chains if c.family == family and c.table == _TABLE}
    if _DOCKER in ours:
        return _DOCKER
    forward = ours.get(_FORWARD)
    return _FORWARD if forward is not None and forward.drops else None


def _ensure_accepts(netlink: NftSocket, family: int, chain: str, bridge: str) -> None:
    batch = Batch(_TABLE, family)
    for key in _missing_accepts(netlink, family, chain, bridge):
        match = nft.load_meta(key) + nft.compare(_short_name(bridge))
        batch.add_rule(chain, match + nft.counter() + nft.ACCEPT, first=True)
    netlink.commit(batch)


def _missing_accepts(netlink: NftSocket, family: int, chain: str, bridge: str) -> list[int]:
    """The meta keys (in, out) by which the bridge is not accepted yet."""
    present = {_accepted_key(rule, bridge) for rule in netlink.rules(_TABLE, chain, family)}
    return [key for key in (nft.META_IIFNAME, nft.META_OIFNAME) if key not in present]


def _accepted_key(rule: Rule, bridge: str) -> int | None:
    """Which meta key (in, out) this rule of ours accepts the bridge by; None: not ours."""
    expressions = [parse_attributes(data) for _, data in iterate_attributes(rule.expressions)]
    names = [e.get(1, b"").rstrip(b"\0").decode() for e in expressions]
    if names != _FORM:
        return None
    key = int.from_bytes(parse_attributes(expressions[0][2]).get(2, b""), "big")
    compared = parse_attributes(parse_attributes(expressions[1][2]).get(3, b"")).get(1, b"")
    wanted = compared.rstrip(b"\0") == bridge.encode()
    return key if wanted and key in (nft.META_IIFNAME, nft.META_OIFNAME) else None


def _short_name(bridge: str) -> bytes:
    """As iptables-nft compares a whole name: with its NUL, unpadded."""
    return bridge.encode() + b"\0"


def _unanswered(chains: Sequence[Chain], own_table: str, bridge: str) -> list[str]:
    found = []
    if any(c.family == NFPROTO_INET and c.table == _FIREWALLD for c in chains):
        found.append(
            "firewalld is active and may drop the traffic of containers: "
            f"`firewall-cmd --zone=trusted --add-interface={bridge}` lets it through"
        )
    for chain in chains:
        known = chain.table in (own_table, _TABLE, _FIREWALLD)
        if chain.hook == HOOK_FORWARD and chain.drops and not known:
            family = _FAMILY_NAMES[chain.family]
            found.append(
                f"nftables chain `{family} {chain.table} {chain.name}` drops what it does not "
                f"know: let interface {bridge} through there, or containers reach nothing"
            )
    return found


def _legacy() -> list[str]:
    try:
        with open(_LEGACY_TABLES, encoding="ascii") as file:
            tables = file.read().split()
    except FileNotFoundError:
        return []
    if "filter" not in tables:
        return []
    return [
        "iptables-legacy has a filter table, which Buoy cannot read: if its FORWARD chain drops, "
        "containers reach nothing"
    ]
