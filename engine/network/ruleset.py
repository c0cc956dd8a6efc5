"""The nftables table of an engine, without what is in its sets.

The rules are the same whatever exists; networks and ports are elements of sets and maps. So the
cost of a packet and of a change does not grow with their number (engine.md B4). There is one
table for IPv4, and one of the same name for IPv6 as soon as a network has that.

    set bridges       our bridges                  set pairs    (in, out) that may talk freely
    set internal      those with no way out        set subnets  the containers' addresses
    set uplinks       the host's own links, when forwarding was off before we came
    set masqueraded   those of `subnets` that appear outside under the host's address
    map sources       those that appear under a certain one, which the host has too
    set unprotected   bridges whose addresses are open to whoever has a route to them
    set passable      bridges of others that ours may lead to, beside Docker (engine.network.apart)
    set opened        container address . protocol . port that is open so
    map published     protocol . port -> container address . port
    map published_at  host address . protocol . port -> container address . port
"""

from __future__ import annotations

from engine.kernel import nftexpressions as nft
from engine.kernel.nftbatch import (
    HOOK_FORWARD,
    HOOK_OUTPUT,
    HOOK_POSTROUTING,
    HOOK_PREROUTING,
    PRIORITY_DSTNAT,
    PRIORITY_FILTER,
    PRIORITY_RAW,
    PRIORITY_SRCNAT,
    TYPE_INTERFACE,
    TYPE_IPV4,
    TYPE_IPV6,
    TYPE_PORT,
    TYPE_PROTOCOL,
    Batch,
)
from engine.kernel.nftexpressions import IPV4, IPV6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.kernel.nftexpressions import Header

    Rule = tuple[str, bytes]  # what it is for, which `nft list` shows as its comment
    Rules = dict[str, tuple[Rule, ...]]

BRIDGES, INTERNAL, UPLINKS = "bridges", "internal", "uplinks"
PAIRS, SUBNETS = "pairs", "subnets"
PUBLISHED, PUBLISHED_AT = "published", "published_at"
MASQUERADED, SOURCES = "masqueraded", "sources"
UNPROTECTED, OPENED = "unprotected", "opened"
PASSABLE = "passable"
APART = "apart"  # a chain that has a rule while Docker is there
PUBLICATION_SETS = (PUBLISHED, PUBLISHED_AT, OPENED)
NETWORK_SETS = (BRIDGES, INTERNAL, PAIRS, SUBNETS, MASQUERADED, SOURCES, UNPROTECTED)

# what the rules say that drop
FROM_INTERNAL, INTO_INTERNAL = "out of an internal network", "into an internal network"
UNPUBLISHED = "into a network, but by a published port"
BETWEEN_UPLINKS = "between links of a host that was no router"
LOOPBACK_FROM_AFAR = "to 127.0.0.0/8 from another machine"

_ADDRESS_TYPES = {IPV4.family: TYPE_IPV4, IPV6.family: TYPE_IPV6}
_PAIR = nft.load_meta(nft.META_IIFNAME, nft.REG_1) + nft.load_meta(nft.META_OIFNAME, nft.REG_2)
_TO_PUBLISHED = (
    "to an address of this host",
    nft.destination_is_local() + nft.verdict(nft.NFT_JUMP, "publish"),
)


def _after_address(header: Header) -> int:
    """The register behind an address in the first ones."""
    return nft.REG_ADDRESS + header.size // 4


def _load_service(header: Header) -> bytes:
    """Protocol and destination port, behind an address."""
    register = _after_address(header)
    port = nft.load_payload(nft.TRANSPORT_HEADER, 2, 2, register + 1)
    return nft.load_meta(nft.META_L4PROTO, register) + port


def _publish(header: Header) -> tuple[Rule, ...]:
    address, protocol = nft.REG_ADDRESS, _after_address(header)
    loaded = _load_service(header)
    # what a lookup finds is an address and a port, from the first register on
    translate = nft.dnat(address=address, port=protocol, header=header)
    return (
        (
            "published at that address",
            nft.load_destination(header, address)
            + loaded
            + nft.lookup(PUBLISHED_AT, address, into=address)
            + translate,
        ),
        (
            "published at all addresses",
            loaded + nft.lookup(PUBLISHED, protocol, into=address) + translate,
        ),
    )


def _forward(header: Header) -> tuple[Rule, ...]:
    opened = (
        nft.oif_in(BRIDGES)
        + nft.load_destination(header, nft.REG_ADDRESS)
        + _load_service(header)
        + nft.lookup(OPENED, nft.REG_ADDRESS)
    )
    answers = nft.ct_state(nft.STATE_ESTABLISHED | nft.STATE_RELATED)
    between = nft.iif_in(UPLINKS) + nft.oif_in(UPLINKS)
    dropped = nft.counter() + nft.DROP
    to_others = nft.iif_in(BRIDGES) + nft.oif_in(BRIDGES, absent=True)
    return (
        ("answers", answers + nft.ACCEPT),
        ("within a network", _PAIR + nft.lookup(PAIRS) + nft.ACCEPT),
        (FROM_INTERNAL, nft.iif_in(INTERNAL) + dropped),
        (INTO_INTERNAL, nft.oif_in(INTERNAL) + dropped),
        ("to what is not ours", to_others + nft.verdict(nft.NFT_JUMP, APART)),
        ("by a published port", nft.oif_in(BRIDGES) + nft.ct_dnat() + nft.ACCEPT),
        ("into a network that is open", nft.oif_in(UNPROTECTED) + nft.ACCEPT),
        ("to a port that is open", opened + nft.ACCEPT),
        (UNPUBLISHED, nft.oif_in(BRIDGES) + dropped),
        (BETWEEN_UPLINKS, between + dropped),
    )


def _masquerade(header: Header) -> tuple[Rule, ...]:
    hairpin = nft.oif_in(BRIDGES) + nft.source_in(SUBNETS, header) + nft.ct_dnat()
    outward = nft.oif_in(BRIDGES, absent=True)
    to_source = (
        nft.load_source(header)
        + nft.lookup(SOURCES, into=nft.REG_ADDRESS)
        + nft.snat(address=nft.REG_ADDRESS, header=header)
    )
    return (
        # a published port reached from a container, itself included: the answer must come back
        # by the host, or it could not be translated
        ("by a published port from a container", hairpin + nft.masquerade()),
        ("out, under a certain address", outward + to_source),
        (
            "out, under the host's address",
            outward + nft.source_in(MASQUERADED, header) + nft.masquerade(),
        ),
    )


_RULES_IPV4: Rules = {
    "publish": _publish(IPV4),
    # route_localnet would let neighbours in to what listens on 127.0.0.1
    "guard": (
        (
            LOOPBACK_FROM_AFAR,
            nft.destination_is_loopback()
            + nft.load_meta(nft.META_IIFNAME)
            + nft.compare(nft.interface_name("lo"), nft.UNEQUAL)
            + nft.counter()
            + nft.DROP,
        ),
    ),
    "prerouting": (_TO_PUBLISHED,),
    "output": (_TO_PUBLISHED,),
    "postrouting": (
        (
            "from the host's own loopback to a published port",
            nft.oif_in(BRIDGES) + nft.source_is_loopback() + nft.masquerade(),
        ),
        *_masquerade(IPV4),
    ),
    "forward": _forward(IPV4),
}

_RULES_IPV6: Rules = {
    "publish": _publish(IPV6),
    # a link-local client cannot be forwarded, nor can ::1: they are served by the relay
    "prerouting": (
        ("a link-local client is relayed", nft.source_is_link_local() + nft.RETURN),
        _TO_PUBLISHED,
    ),
    "output": (
        ("[::1] is relayed", nft.destination_is_loopback(IPV6) + nft.RETURN),
        _TO_PUBLISHED,
    ),
    "postrouting": _masquerade(IPV6),
    "forward": _forward(IPV6),
}

RULES = {IPV4.family: _RULES_IPV4, IPV6.family: _RULES_IPV6}

_BASE_CHAINS = {
    "guard": ("filter", HOOK_PREROUTING, PRIORITY_RAW),
    "prerouting": ("nat", HOOK_PREROUTING, PRIORITY_DSTNAT),
    "output": ("nat", HOOK_OUTPUT, PRIORITY_DSTNAT),
    "postrouting": ("nat", HOOK_POSTROUTING, PRIORITY_SRCNAT),
    "forward": ("filter", HOOK_FORWARD, PRIORITY_FILTER),
}


def ruleset(table: str, header: Header, comment: str = "") -> Batch:
    """Table, sets, chains and rules; may be repeated, and elements that are there stay."""
    batch = Batch(table, header.family)
    batch.add_table(comment=comment)
    address = _ADDRESS_TYPES[header.family]
    for name in (BRIDGES, INTERNAL, UPLINKS, UNPROTECTED, PASSABLE):
        batch.add_set(name, [TYPE_INTERFACE])
    batch.add_set(PAIRS, [TYPE_INTERFACE, TYPE_INTERFACE])
    for name in (SUBNETS, MASQUERADED):
        batch.add_set(name, [address], interval=True)
    batch.add_set(SOURCES, [address], [address], interval=True)
    batch.add_set(OPENED, [address, TYPE_PROTOCOL, TYPE_PORT])
    target = [address, TYPE_PORT]
    batch.add_set(PUBLISHED, [TYPE_PROTOCOL, TYPE_PORT], target)
    batch.add_set(PUBLISHED_AT, [address, TYPE_PROTOCOL, TYPE_PORT], target)
    rules = RULES[header.family]
    for chain in (APART, *rules):
        batch.add_chain(chain, *_BASE_CHAINS.get(chain, ()))
    for chain, found in rules.items():
        batch.flush_chain(chain)  # another command may be at the same
        for purpose, expressions in found:
            batch.add_rule(chain, expressions, comment=purpose)
    return batch
