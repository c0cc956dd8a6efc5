"""What the rules of others do, as far as it has to be known."""

from __future__ import annotations

import itertools

from engine.kernel import nftexpressions as nft
from engine.kernel.netlink import iterate_attributes, parse_attributes

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.kernel.nftables import Rule

    Expressions = list[tuple[str, dict[int, bytes]]]  # name, attributes

_ACCEPT_FORM = ["meta", "cmp", "counter", "immediate"]  # iptables -i NAME -j ACCEPT
_INTERFACE_KEYS = (nft.META_IIFNAME, nft.META_OIFNAME)


def accepted_key(rule: Rule, bridge: str) -> int | None:
    """Which meta key (in, out) a rule that we have put there accepts the bridge by; None: it is
    not ours."""
    expressions = _expressions(rule)
    if [name for name, _ in expressions] != _ACCEPT_FORM:
        return None
    key = _key(expressions[0][1])
    compared = _compared(expressions[1][1]).rstrip(b"\0")
    return key if compared == bridge.encode() and key in _INTERFACE_KEYS else None


def names_interface(rules: Iterable[Rule], interface: str) -> bool:
    """Whether one of them is about an interface, or about what begins as its name does."""
    return any(
        interface.encode().startswith(wanted) for rule in rules for wanted in interfaces(rule)
    )


def interfaces(rule: Rule) -> Iterator[bytes]:
    """Names of interfaces, or what they begin with, that it compares with."""
    for (name, given), (after, compared) in itertools.pairwise(_expressions(rule)):
        if name == "meta" and after == "cmp" and _key(given) in _INTERFACE_KEYS:
            wanted = _compared(compared).rstrip(b"\0")
            if wanted:
                yield wanted


def ends_by_dropping(rules: Sequence[Rule]) -> bool:
    """Whether the last one drops or rejects whatever has come so far."""
    if not rules:
        return False
    expressions = [one for one in _expressions(rules[-1]) if one[0] != "counter"]
    if len(expressions) != 1:
        return False
    name, given = expressions[0]
    if name == "immediate":
        return _verdict(given) == nft.NF_DROP
    target = given.get(1, b"").rstrip(b"\0").decode() if name == "target" else ""
    return name == "reject" or target in ("REJECT", "DROP")


def _expressions(rule: Rule) -> Expressions:
    parsed = [parse_attributes(data) for _, data in iterate_attributes(rule.expressions)]
    return [
        (one.get(1, b"").rstrip(b"\0").decode(), parse_attributes(one.get(2, b"")))
        for one in parsed
    ]


def _key(attributes: dict[int, bytes]) -> int:
    """What a `meta` loads."""
    return int.from_bytes(attributes.get(2, b""), "big")


def _compared(attributes: dict[int, bytes]) -> bytes:
    """The value of a `cmp`."""
    return parse_attributes(attributes.get(3, b"")).get(1, b"")


def _verdict(attributes: dict[int, bytes]) -> int | None:
    """That of an `immediate`; None where it loads something else."""
    verdict = parse_attributes(attributes.get(2, b"")).get(2, b"")
    code = parse_attributes(verdict).get(1)
    return int.from_bytes(code, "big", signed=True) if code is not None else None
