"""The expressions that nftables rules are made of, packed by hand.

A rule is a run of these over registers: load, compare (a mismatch ends the rule), look up, act.
Registers 8 to 23 are the 4-byte ones, 1 to 4 the 16-byte ones over the same storage.
Source: include/uapi/linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import socket
import struct

from engine.kernel.netlink import attribute, nested, text

REG_VERDICT = 0
REG_1 = 1  # the first 16 bytes: REG32 8..11
REG_2 = 2
REG_ADDRESS = 8  # REG32_00

META_PROTOCOL, META_IIFNAME, META_OIFNAME = 1, 6, 7
META_NFTRACE, META_NFPROTO, META_L4PROTO, META_OIFKIND = 12, 15, 16, 27
CT_STATE, CT_DIRECTION, CT_STATUS, CT_PROTO_SRC = 0, 1, 2, 11
STATE_ESTABLISHED, STATE_RELATED = 2, 4
STATUS_DST_NAT = 1 << 5
FIB_RESULT_ADDRTYPE, FIB_DADDR, RTN_LOCAL = 3, 2, 2

NETWORK_HEADER, TRANSPORT_HEADER = 1, 2
NF_DROP, NF_ACCEPT, NFT_JUMP, NFT_RETURN = 0, 1, -3, -5
EQUAL, UNEQUAL = 0, 1
NFPROTO_IPV4, NFPROTO_IPV6 = 2, 10
CT_SRC = {NFPROTO_IPV4: 19, NFPROTO_IPV6: 21}  # the address of the client
NAT_SOURCE, NAT_DESTINATION = 0, 1


class Header:
    """Where the addresses are in the header of an IP version.

    family   number of nf_tables; size: of an address, in bytes; source, destination: offsets
    loopback what addresses of the host itself start with
    """

    __slots__ = ("destination", "family", "loopback", "size", "source")

    def __init__(self, family: int, size: int, source: int, loopback: bytes) -> None:
        self.family = family
        self.size = size
        self.source = source
        self.destination = source + size
        self.loopback = loopback


IPV4 = Header(NFPROTO_IPV4, 4, 12, b"\x7f")
IPV6 = Header(NFPROTO_IPV6, 16, 8, bytes(15) + b"\x01")

NFTA_LIST_ELEM = 1
ELEMENT_INTERVAL_END = 0x1  # NFT_SET_ELEM_INTERVAL_END
NFTA_DATA_VALUE, NFTA_DATA_VERDICT = 1, 2
IFNAMSIZ = 16


def be32(value: int) -> bytes:
    """A number as nf_tables wants it: 32 bits, network order."""
    return struct.pack(">I", value & 0xFFFFFFFF)


def interface_name(name: str) -> bytes:
    """An interface name as a set key or a comparison: 16 bytes."""
    return name.encode().ljust(IFNAMSIZ, b"\0")


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(NFTA_LIST_ELEM, text(1, name), nested(2, *attributes))


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, be32(value))


def value(kind: int, data: bytes) -> bytes:
    """NFTA_DATA_VALUE inside the attribute `kind`."""
    return nested(kind, attribute(NFTA_DATA_VALUE, data))


def load_meta(key: int, register: int = REG_1) -> bytes:
    """Interface names, the transport protocol."""
    return _expression("meta", _number(1, register), _number(2, key))


def load_ct(key: int, register: int = REG_1) -> bytes:
    """State or status of the connection."""
    return _expression("ct", _number(1, register), _number(2, key))


def load_original(key: int, register: int = REG_1) -> bytes:
    """An address or a port of the connection as its first packet had it, before translation."""
    return _expression("ct", _number(1, register), _number(2, key), attribute(3, b"\0"))


def load_payload(base: int, offset: int, length: int, register: int = REG_1) -> bytes:
    """Bytes of a header."""
    return _expression(
        "payload", _number(1, register), _number(2, base), _number(3, offset), _number(4, length)
    )


def mask(bits: bytes, register: int = REG_1) -> bytes:
    """Keep only `bits` of a register."""
    return _expression(
        "bitwise",
        _number(1, register),
        _number(2, register),
        _number(3, len(bits)),
        value(4, bits),
        value(5, bytes(len(bits))),
    )


def compare(data: bytes, how: int = EQUAL, register: int = REG_1) -> bytes:
    """End the rule unless the register equals (or differs from) `data`."""
    return _expression("cmp", _number(1, register), _number(2, how), value(3, data))


def lookup(
    name: str, register: int = REG_1, *, into: int | None = None, absent: bool = False
) -> bytes:
    """End the rule unless the register is in a set (or `absent` from it); a map's value `into`."""
    parts = [text(1, name), _number(2, register)]
    if into is not None:
        parts.append(_number(3, into))
    if absent:
        parts.append(_number(5, 1))
    return _expression("lookup", *parts)


def immediate(data: bytes, register: int = REG_1) -> bytes:
    """Put constant bytes into a register."""
    return _expression("immediate", _number(1, register), value(2, data))


def verdict(code: int, chain: str = "") -> bytes:
    """End the rule with a verdict, or jump to a chain."""
    inner = _number(1, code) + (text(2, chain) if chain else b"")
    return _expression(
        "immediate", _number(1, REG_VERDICT), nested(2, nested(NFTA_DATA_VERDICT, inner))
    )


def trace() -> bytes:
    """Tell of every rule that the packet meets from here on, by netlink."""
    switch = _expression("meta", _number(3, REG_1), _number(2, META_NFTRACE))
    return immediate(b"\x01") + switch


def counter() -> bytes:
    """Count packets and bytes that came this far."""
    return _expression("counter")


def masquerade() -> bytes:
    """Source NAT to the address of the link that the packet leaves by."""
    return _expression("masq")


def dnat(*, address: int | None, port: int, header: Header = IPV4) -> bytes:
    """Destination NAT to the address and port in two registers; None keeps the address."""
    parts = [_number(1, NAT_DESTINATION), _number(2, header.family)]
    if address is not None:
        parts.append(_number(3, address))
    return _expression("nat", *parts, _number(5, port))


def snat(*, address: int, header: Header) -> bytes:
    """Source NAT to the address in a register."""
    kind, family = _number(1, NAT_SOURCE), _number(2, header.family)
    return _expression("nat", kind, family, _number(3, address))


ACCEPT = verdict(NF_ACCEPT)
DROP = verdict(NF_DROP)
RETURN = verdict(NFT_RETURN)


def iif_in(name: str, *, absent: bool = False) -> bytes:
    """`iifname @name`."""
    return load_meta(META_IIFNAME) + lookup(name, absent=absent)


def oif_in(name: str, *, absent: bool = False) -> bytes:
    """`oifname @name`."""
    return load_meta(META_OIFNAME) + lookup(name, absent=absent)


def oif_is_bridge() -> bytes:
    """`oifkind "bridge"`."""
    return load_meta(META_OIFKIND) + compare(interface_name("bridge"))


def load_destination(header: Header, register: int = REG_1) -> bytes:
    """The destination address."""
    return load_payload(NETWORK_HEADER, header.destination, header.size, register)


def load_source(header: Header, register: int = REG_1) -> bytes:
    """The source address."""
    return load_payload(NETWORK_HEADER, header.source, header.size, register)


def source_in(name: str, header: Header = IPV4) -> bytes:
    """`ip saddr @name`."""
    return load_source(header) + lookup(name)


def destination_is(address: str) -> bytes:
    """`ip daddr ADDRESS`."""
    return load_payload(NETWORK_HEADER, 16, 4) + compare(socket.inet_aton(address))


def source_is_loopback() -> bytes:
    """`ip saddr 127.0.0.0/8`."""
    return load_payload(NETWORK_HEADER, IPV4.source, 1) + compare(IPV4.loopback)


def destination_is_loopback(header: Header = IPV4) -> bytes:
    """`ip daddr 127.0.0.0/8`, `ip6 daddr ::1`."""
    loaded = load_payload(NETWORK_HEADER, header.destination, len(header.loopback))
    return loaded + compare(header.loopback)


def source_is_link_local() -> bytes:
    """`ip6 saddr fe80::/10`."""
    loaded = load_payload(NETWORK_HEADER, IPV6.source, IPV6.size)
    return loaded + mask(b"\xff\xc0" + bytes(14)) + compare(b"\xfe\x80" + bytes(14))


def destination_is_local() -> bytes:
    """`fib daddr type local`: addressed to this host, by whichever of its addresses."""
    fib = _expression(
        "fib", _number(1, REG_1), _number(2, FIB_RESULT_ADDRTYPE), _number(3, FIB_DADDR)
    )
    return fib + compare(struct.pack("=I", RTN_LOCAL))


def ct_state(bits: int) -> bytes:
    """`ct state ...`: any of `bits`."""
    return load_ct(CT_STATE) + mask(struct.pack("=I", bits)) + compare(bytes(4), UNEQUAL)


def ct_dnat(*, absent: bool = False) -> bytes:
    """`ct status dnat`: the destination was changed, by us or by somebody else."""
    loaded = load_ct(CT_STATUS) + mask(struct.pack("=I", STATUS_DST_NAT))
    return loaded + compare(bytes(4), EQUAL if absent else UNEQUAL)
