"""Connection tracking entries that have gone stale, by netlink.

UDP clients keep their port, so an entry made before a port was published, or while another
container had it, goes on sending their packets the old way for 30 to 120 s. An established TCP
connection of a container that is gone stays on the books for five days.
Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import errno
import socket
import struct

from engine.kernel.netlink import (
    NLM_F_DUMP,
    NetlinkError,
    attribute,
    nested,
    parse_attributes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.kernel.netlink import NetlinkSocket

_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_ZONE, _CTA_FILTER = 1, 2, 18, 25
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO = 1, 2
_CTA_IP_SRC = {socket.AF_INET: 1, socket.AF_INET6: 3}
_CTA_PROTO_NUM, _CTA_PROTO_DST_PORT = 1, 3
_FILTER_IP_SRC, _FILTER_PROTO_NUM = 1 << 0, 1 << 3  # older kernels than 5.8 send all


def forget_udp(netlink: NetlinkSocket, ports: Collection[int], family: int = socket.AF_INET) -> int:
    """Delete the entries of UDP flows first sent to one of `ports`; how many there were.

    netlink   a NETLINK_NETFILTER socket
    """
    if not ports:
        return 0
    number = nested(_CTA_TUPLE_PROTO, attribute(_CTA_PROTO_NUM, bytes([socket.IPPROTO_UDP])))
    entries = _entries(netlink, family, _CTA_TUPLE_ORIG, number, _FILTER_PROTO_NUM)
    stale = [entry for entry in entries if _original_port(entry) in ports]
    return sum(_delete(netlink, entry) for entry in stale)


def forget_address(netlink: NetlinkSocket, address: str) -> int:
    """Delete the entries of all flows that come from an address, or that it answers; how many.

    netlink   a NETLINK_NETFILTER socket
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    data = socket.inet_pton(family, address)
    source = nested(_CTA_TUPLE_IP, attribute(_CTA_IP_SRC[family], data))
    count = 0
    for direction in (_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY):
        entries = _entries(netlink, family, direction, source, _FILTER_IP_SRC)
        stale = [entry for entry in entries if _source(entry, direction, family) == data]
        count += sum(_delete(netlink, entry) for entry in stale)
    return count


def _header(family: int) -> bytes:
    return struct.pack(">BBH", family, 0, 0)


def _entries(
    netlink: NetlinkSocket, family: int, direction: int, like: bytes, flag: int
) -> list[bytes]:
    """Those whose tuple of one direction is like that in what `flag` names; or all."""
    flags = b"".join(
        attribute(one, struct.pack("=I", flag if one == direction else 0))
        for one in (_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY)
    )
    wanted = nested(direction, like) + nested(_CTA_FILTER, flags)
    try:
        return netlink.dump(_GET, _header(family) + wanted)
    except NetlinkError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    return netlink.dump(_GET, _header(family), NLM_F_DUMP)


def _original_port(entry: bytes) -> int | None:
    first = parse_attributes(parse_attributes(entry, 4).get(_CTA_TUPLE_ORIG, b""))
    protocol = parse_attributes(first.get(_CTA_TUPLE_PROTO, b""))
    if protocol.get(_CTA_PROTO_NUM) != bytes([socket.IPPROTO_UDP]):
        return None
    return int.from_bytes(protocol.get(_CTA_PROTO_DST_PORT, b""), "big")


def _source(entry: bytes, direction: int, family: int) -> bytes | None:
    given = parse_attributes(parse_attributes(entry, 4).get(direction, b""))
    return parse_attributes(given.get(_CTA_TUPLE_IP, b"")).get(_CTA_IP_SRC[family])


def _delete(netlink: NetlinkSocket, entry: bytes) -> bool:
    given = parse_attributes(entry, 4)
    body = nested(_CTA_TUPLE_ORIG, given[_CTA_TUPLE_ORIG])
    if _CTA_ZONE in given:
        body += attribute(_CTA_ZONE, given[_CTA_ZONE])
    try:
        netlink.send([(_DELETE, 0, entry[:4] + body)])
    except NetlinkError as error:
        if error.errno != errno.ENOENT:  # it has expired in the meantime
            raise
        return False
    return True
