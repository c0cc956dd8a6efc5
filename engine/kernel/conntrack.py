"""Connection tracking entries that have gone stale, by netlink.

UDP clients keep their port, so an entry made before a port was published, or while another
container had it, goes on sending their packets the old way for 30 to 120 s.
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
_CTA_TUPLE_ORIG, _CTA_ZONE, _CTA_FILTER = 1, 18, 25
_CTA_TUPLE_PROTO = 2
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
