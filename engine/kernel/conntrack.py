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
    from collections.abc import Collection, Iterator
    from ipaddress import IPv4Network, IPv6Network

    from engine.kernel.netlink import NetlinkSocket

    Range = IPv4Network | IPv6Network

_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_ZONE, _CTA_FILTER = 1, 2, 18, 25
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO = 1, 2
_CTA_IP_SRC: dict[int, int] = {socket.AF_INET: 1, socket.AF_INET6: 3}
_CTA_PROTO_NUM, _CTA_PROTO_DST_PORT = 1, 3
_FILTER_PROTO_NUM = 1 << 3  # dump only this protocol; older kernels than 5.8 send all


def forget_udp(netlink: NetlinkSocket, ports: Collection[int], family: int = socket.AF_INET) -> int:
    """Delete the entries of UDP flows first sent to one of `ports`; how many there were.

    netlink   a NETLINK_NETFILTER socket
    """
    if not ports:
        return 0
    stale = [entry for entry in _udp_entries(netlink, family) if _original_port(entry) in ports]
    return sum(_delete(netlink, entry) for entry in stale)


def forget_subnets(netlink: NetlinkSocket, subnets: Collection[Range]) -> int:
    """Delete the entries of all flows that come from one of them, or that it answers; how many.

    The kernel walks through its whole table for that, once for each IP version: 10 ms where it
    has 262,144 buckets.

    netlink   a NETLINK_NETFILTER socket
    """
    forgotten = 0
    for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        theirs = [subnet for subnet in subnets if subnet.version == version]
        if theirs:
            stale = [
                entry
                for entry in netlink.dump(_GET, _header(family), NLM_F_DUMP)
                if any(_is_of(entry, family, subnet) for subnet in theirs)
            ]
            forgotten += sum(_delete(netlink, entry) for entry in stale)
    return forgotten


def _header(family: int) -> bytes:
    return struct.pack(">BBH", family, 0, 0)


def _udp_entries(netlink: NetlinkSocket, family: int) -> list[bytes]:
    number = nested(_CTA_TUPLE_PROTO, attribute(_CTA_PROTO_NUM, bytes([socket.IPPROTO_UDP])))
    flags = attribute(1, struct.pack("=I", _FILTER_PROTO_NUM)) + attribute(2, bytes(4))
    wanted = nested(_CTA_TUPLE_ORIG, number) + nested(_CTA_FILTER, flags)
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


def _is_of(entry: bytes, family: int, subnet: Range) -> bool:
    mark = subnet.network_address.packed[: subnet.prefixlen // 8]
    if mark not in entry:  # as in most
        return False
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    return any(first <= one <= last for one in _sources(entry, family))


def _sources(entry: bytes, family: int) -> Iterator[int]:
    """Who asks, and who answers: behind a published port that is another than was asked."""
    given = parse_attributes(entry, 4)
    for direction in (_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY):
        addresses = parse_attributes(parse_attributes(given[direction])[_CTA_TUPLE_IP])
        yield int.from_bytes(addresses[_CTA_IP_SRC[family]], "big")


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
