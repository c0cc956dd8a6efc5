"""The nftables table of an engine, without what is in its sets.

The rules are the same whatever exists; networks and ports are elements of sets and maps. So the
cost of a packet and of a change does not grow with their number (engine.md B4).

    set bridges       our bridges                  set pairs    (in, out) that may talk freely
    set internal      those with no way out        set subnets  the containers' addresses
    set uplinks       the host's own links, when forwarding was off before we came
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
    TYPE_PORT,
    TYPE_PROTOCOL,
    Batch,
)

BRIDGES, INTERNAL, UPLINKS = "bridges", "internal", "uplinks"
PAIRS, SUBNETS = "pairs", "subnets"
PUBLISHED, PUBLISHED_AT = "published", "published_at"

_PORT = nft.load_payload(nft.TRANSPORT_HEADER, 2, 2, nft.REG_PORT)
_PROTOCOL = nft.load_meta(nft.META_L4PROTO, nft.REG_PROTOCOL)
_TRANSLATE = nft.dnat(address=nft.REG_ADDRESS, port=nft.REG_PROTOCOL)  # where a lookup put them
_PAIR = nft.load_meta(nft.META_IIFNAME, nft.REG_1) + nft.load_meta(nft.META_OIFNAME, nft.REG_2)

RULES = {
    "publish": (
        nft.load_payload(nft.NETWORK_HEADER, 16, 4, nft.REG_ADDRESS)
        + _PROTOCOL
        + _PORT
        + nft.lookup(PUBLISHED_AT, nft.REG_ADDRESS, into=nft.REG_ADDRESS)
        + _TRANSLATE,
        _PROTOCOL
        + _PORT
        + nft.lookup(PUBLISHED, nft.REG_PROTOCOL, into=nft.REG_ADDRESS)
        + _TRANSLATE,
    ),
    # route_localnet would let neighbours in to what listens on 127.0.0.1
    "guard": (
        nft.destination_is_loopback()
        + nft.load_meta(nft.META_IIFNAME)
        + nft.compare(nft.interface_name("lo"), nft.UNEQUAL)
        + nft.counter()
        + nft.DROP,
    ),
    "prerouting": (nft.destination_is_local() + nft.verdict(nft.NFT_JUMP, "publish"),),
    "output": (nft.destination_is_local() + nft.verdict(nft.NFT_JUMP, "publish"),),
    "postrouting": (
        # from the host's own loopback to a published port
        nft.oif_in(BRIDGES) + nft.source_is_loopback() + nft.masquerade(),
        # a published port reached from a container, itself included: the answer must come back
        # by the host, or it could not be translated
        nft.oif_in(BRIDGES) + nft.source_in(SUBNETS) + nft.ct_dnat() + nft.masquerade(),
        nft.oif_in(BRIDGES, absent=True) + nft.source_in(SUBNETS) + nft.masquerade(),
    ),
    "forward": (
        nft.ct_state(nft.STATE_ESTABLISHED | nft.STATE_RELATED) + nft.ACCEPT,
        _PAIR + nft.lookup(PAIRS) + nft.ACCEPT,
        nft.iif_in(INTERNAL) + nft.counter() + nft.DROP,
        nft.oif_in(INTERNAL) + nft.counter() + nft.DROP,
        nft.oif_in(BRIDGES) + nft.ct_dnat() + nft.ACCEPT,
        nft.oif_in(BRIDGES) + nft.counter() + nft.DROP,
        nft.iif_in(UPLINKS) + nft.oif_in(UPLINKS) + nft.counter() + nft.DROP,
    ),
}


def ruleset(table: str) -> Batch:
    """Table, sets, chains and rules; may be repeated, and elements that are there stay."""
    batch = Batch(table)
    batch.add_table()
    for name in (BRIDGES, INTERNAL, UPLINKS):
        batch.add_set(name, [TYPE_INTERFACE])
    batch.add_set(PAIRS, [TYPE_INTERFACE, TYPE_INTERFACE])
    batch.add_set(SUBNETS, [TYPE_IPV4], interval=True)
    target = [TYPE_IPV4, TYPE_PORT]
    batch.add_set(PUBLISHED, [TYPE_PROTOCOL, TYPE_PORT], target)
    batch.add_set(PUBLISHED_AT, [TYPE_IPV4, TYPE_PROTOCOL, TYPE_PORT], target)
    batch.add_chain("publish")
    batch.add_chain("guard", "filter", HOOK_PREROUTING, PRIORITY_RAW)
    batch.add_chain("prerouting", "nat", HOOK_PREROUTING, PRIORITY_DSTNAT)
    batch.add_chain("output", "nat", HOOK_OUTPUT, PRIORITY_DSTNAT)
    batch.add_chain("postrouting", "nat", HOOK_POSTROUTING, PRIORITY_SRCNAT)
    batch.add_chain("forward", "filter", HOOK_FORWARD, PRIORITY_FILTER)
    for chain, rules in RULES.items():
        batch.flush_chain(chain)  # another command may be at the same
        for rule in rules:
            batch.add_rule(chain, rule)
    return batch
