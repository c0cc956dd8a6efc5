"""A rule as nft would write it, from its expressions: those that firewalls are made of.

What is not known here is named, as in `[quota]`: nothing is left out.
Source: include/uapi/linux/netfilter/nf_tables.h, xt matches in nft_compat.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from engine.kernel.netlink import iterate_attributes, parse_attributes
from engine.kernel.nftexpressions import NETWORK_HEADER, TRANSPORT_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

_VERDICTS = {
    0: "drop",
    1: "accept",
    3: "queue",
    -1: "continue",
    -3: "jump",
    -4: "goto",
    -5: "return",
}
_META = {
    1: "meta protocol",
    3: "mark",
    4: "iif",
    5: "oif",
    6: "iifname",
    7: "oifname",
    10: "meta skuid",
    15: "meta nfproto",
    16: "meta l4proto",
    19: "meta pkttype",
    27: "oifkind",
}
_NAMES = (6, 7, 27)
_CT = {0: "ct state", 1: "ct direction", 2: "ct status", 3: "ct mark"}
_STATES = {1: "invalid", 2: "established", 4: "related", 8: "new", 64: "untracked"}
_COMPARE = ("", "!= ", "< ", "<= ", "> ", ">= ")
_PAYLOAD: dict[tuple[int, ...], str] = {
    (NETWORK_HEADER, 9, 1): "ip protocol",
    (TRANSPORT_HEADER, 0, 2): "sport",
    (TRANSPORT_HEADER, 2, 2): "dport",
}
_ADDRESSES = {12: ("ip saddr", 4), 16: ("ip daddr", 4), 8: ("ip6 saddr", 16), 24: ("ip6 daddr", 16)}
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
_FAMILIES = {2: "ipv4", 10: "ipv6"}
_ABSENT = 1
_SOURCES = {"meta": 3, "ct": 4, "payload": 5}  # the register that is put there, not loaded


def verdict_text(data: bytes) -> str:
    """`drop`, `jump CHAIN`, of the attributes of a verdict."""
    given = parse_attributes(data)
    code = int.from_bytes(given.get(1, b""), "big", signed=True)
    name = _VERDICTS.get(code & 0xFF if code >= 0 else code, str(code))
    return f"{name} {_string(given[2])}" if 2 in given else name


def rule_text(expressions: bytes) -> str:
    """The rule that the expressions make."""
    return _Reading().text(expressions)


class _Reading:
    """What is in the registers, in words, while the expressions are gone through."""

    def __init__(self) -> None:
        self._loaded: dict[int, str] = {}
        self._shown: dict[int, Callable[[bytes], str]] = {}
        self._masks: dict[int, bytes] = {}

    def text(self, expressions: bytes) -> str:
        words = []
        for _, packed in iterate_attributes(expressions):
            expression = parse_attributes(packed)
            name = _string(expression.get(1, b""))
            words.append(self._word(name, parse_attributes(expression.get(2, b""))))
        return " ".join(filter(None, words))

    def _word(self, name: str, given: dict[int, bytes]) -> str:
        match name:
            case "meta" | "ct" | "payload" | "fib":
                loaded = self._load(name, given)
                return f"{loaded} set" if _SOURCES.get(name) in given else ""
            case "bitwise":
                self._masks[_register(given[2])] = parse_attributes(given.get(4, b"")).get(1, b"")
                return ""
            case "cmp":
                return self._compared(given)
            case "lookup":
                return self._looked_up(given)
            case "immediate":
                data = parse_attributes(given.get(2, b""))
                return verdict_text(data[2]) if 2 in data else ""
            case "match" | "target":
                return f"{'-m' if name == 'match' else '-j'} {_string(given.get(1, b''))}"
            case "masq":
                return "masquerade"
            case "nat":
                return "snat" if _number(given.get(1, b"")) == 0 else "dnat"
            case "counter" | "log" | "reject" | "limit" | "redir" | "notrack":
                return name
        return f"[{name}]"

    def _load(self, name: str, given: dict[int, bytes]) -> str:
        """What is loaded, or where a value is put."""
        if name == "payload":
            register = _register(given.get(1, b""))
            place = tuple(_number(given.get(one, b"")) for one in (2, 3, 4))
            loaded, self._shown[register] = _payload(*place)
        elif name == "fib":
            register, loaded = _register(given.get(1, b"")), "fib type"
            self._shown[register] = _host_order
        else:
            register, key = _register(given.get(1, b"")), _number(given.get(2, b""))
            loaded = (_META if name == "meta" else _CT).get(key, f"{name} {key}")
            self._shown[register] = _shower(name, key)
        self._loaded[register] = loaded
        self._masks.pop(register, None)
        return loaded

    def _compared(self, given: dict[int, bytes]) -> str:
        register, how = _register(given[1]), _number(given[2])
        data = parse_attributes(given[3]).get(1, b"")
        loaded, shown = self._loaded.get(register, "?"), self._shown.get(register, _plain)
        mask = self._masks.get(register)
        if mask is not None and not any(data) and how == 1:  # any of these bits
            return f"{loaded} {shown(mask)}"
        more = f"/{int.from_bytes(mask, 'big').bit_count()}" if mask and "addr" in loaded else ""
        return f"{loaded} {_COMPARE[how]}{shown(data)}{more}"

    def _looked_up(self, given: dict[int, bytes]) -> str:
        loaded = self._loaded.get(_register(given[2]), "?")
        differs = "!= " if _number(given.get(5, b"")) & _ABSENT else ""
        return f"{loaded} {differs}@{_string(given[1])}"


def _register(data: bytes) -> int:
    """Those of 16 bytes by the first of their four of 4 bytes."""
    number = _number(data)
    return 8 + (number - 1) * 4 if 1 <= number <= 4 else number


def _shower(name: str, key: int) -> Callable[[bytes], str]:
    if name == "ct":
        return _states if key == 0 else _host_order
    if key in _NAMES:
        return lambda data: f'"{_string(data)}"'
    return {15: _family, 16: _protocol}.get(key, _host_order)


def _payload(base: int, offset: int, length: int) -> tuple[str, Callable[[bytes], str]]:
    """What the bytes of a header are, and how they are shown."""
    name, size = _ADDRESSES.get(offset, ("", 0))
    if base == NETWORK_HEADER and length <= size:  # whole bytes of a prefix: no more is loaded
        return name, lambda data: _address(data, size)
    name = _PAYLOAD.get((base, offset, length), f"@{base},{offset},{length}")
    return name, _protocol if name == "ip protocol" else _plain


def _address(data: bytes, size: int) -> str:
    family = socket.AF_INET6 if size == 16 else socket.AF_INET
    prefix = f"/{len(data) * 8}" if len(data) < size else ""
    return socket.inet_ntop(family, data[:size].ljust(size, b"\0")) + prefix


def _states(data: bytes) -> str:
    bits = int.from_bytes(data, "little")
    return ",".join(name for bit, name in _STATES.items() if bits & bit) or "none"


def _protocol(data: bytes) -> str:
    return _PROTOCOLS.get(_number(data), str(_number(data)))


def _family(data: bytes) -> str:
    return _FAMILIES.get(_number(data), str(_number(data)))


def _plain(data: bytes) -> str:
    return str(_number(data))


def _host_order(data: bytes) -> str:
    return str(int.from_bytes(data, "little"))


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _string(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
