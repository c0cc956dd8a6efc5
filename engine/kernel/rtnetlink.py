"""Links, addresses and routes as netlink messages, and what of them we read back.

Sources: include/uapi/linux/{rtnetlink,if_link,if_addr,veth}.h.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys

from engine.kernel.netlink import (
    NETLINK_GET_STRICT_CHK,
    NETLINK_ROUTE,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    SOL_NETLINK,
    NetlinkError,
    NetlinkSocket,
    accepting,
    attribute,
    nested,
    parse_attributes,
    text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kernel.netlink import Message

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 10, 18
IFLA_IFALIAS, IFLA_AF_SPEC, IFLA_GROUP, IFLA_NET_NS_FD = 20, 26, 27, 28
IFLA_INET_CONF, IFLA_INET6_CONF = 1, 2
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_BRPORT_MODE, IFLA_BRPORT_ISOLATED = 4, 33  # the first is hairpin
IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE = 8, 1
VETH_INFO_PEER = 1
IFLA_LINK = 5
IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS, IFLA_VLAN_ID = 1, 1, 2, 1
MACVLAN_MODE_PRIVATE, MACVLAN_MODE_VEPA, MACVLAN_MODE_BRIDGE, MACVLAN_MODE_PASSTHRU = 1, 2, 4, 8
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
IFA_F_NODAD = 0x02
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_TABLE = 1, 4, 5, 15
RTN_UNICAST, RT_SCOPE_LINK = 1, 253
RT_TABLE_MAIN, RTPROT_BOOT = 254, 3

IFF_UP = 1
LOOPBACK_INDEX = 1

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEW = NLM_F_CREATE | NLM_F_EXCL


class Link:
    """What we ask about a link."""

    __slots__ = (
        "_families",
        "alias",
        "flags",
        "index",
        "isolated",
        "kind",
        "master",
        "mtu",
        "name",
    )

    def __init__(self, body: bytes) -> None:
        _, _, index, flags, _ = _LINK.unpack_from(body)
        self.index: int = index
        self.flags: int = flags
        given = parse_attributes(body, _LINK.size)
        info = parse_attributes(given.get(IFLA_LINKINFO, b""))
        self.name = _string(given.get(IFLA_IFNAME, b""))
        self.alias = _string(given.get(IFLA_IFALIAS, b""))
        self.kind = _string(info.get(IFLA_INFO_KIND, b""))
        master = given.get(IFLA_MASTER)
        self.master: int = struct.unpack("=I", master)[0] if master else 0
        self.mtu = int.from_bytes(given.get(IFLA_MTU, b""), "little")
        port = parse_attributes(info.get(IFLA_INFO_SLAVE_DATA, b""))
        self.isolated = port.get(IFLA_BRPORT_ISOLATED) == b"\x01"
        self._families = given.get(IFLA_AF_SPEC, b"")

    @property
    def up(self) -> bool:
        """Whether it was brought up by someone."""
        return bool(self.flags & IFF_UP)

    def setting(self, family: int, number: int) -> int | None:
        """What net/FAMILY/conf/LINK says, by its number (DEVCONF) among the settings of the
        family: they come with the link. None where the kernel lacks it."""
        found = parse_attributes(parse_attributes(self._families).get(family, b""))
        kind, first = (IFLA_INET_CONF, 1) if family == socket.AF_INET else (IFLA_INET6_CONF, 0)
        value = found.get(kind, b"")[4 * (number - first) :][:4]
        return int.from_bytes(value, sys.byteorder, signed=True) if value else None


class Route:
    """One unicast route: where it leads, through which link, and how it came about.

    destination, gateway   packed: 4 or 16 bytes; no gateway is no bytes
    """

    __slots__ = ("destination", "gateway", "link", "on_link", "prefix_length")

    def __init__(self, body: bytes) -> None:
        _, self.prefix_length, _, _, _, _, scope, _, _ = _ROUTE.unpack_from(body)
        given = parse_attributes(body, _ROUTE.size)
        ipv6 = body[0] == socket.AF_INET6  # where a route has no scope
        self.destination = given.get(RTA_DST, bytes(16 if ipv6 else 4))
        self.link = int.from_bytes(given.get(RTA_OIF, b""), "little")
        self.gateway = given.get(RTA_GATEWAY, b"")
        self.on_link = not self.gateway if ipv6 else scope == RT_SCOPE_LINK


class Address:
    """One address of a link, with the prefix length of its subnet."""

    __slots__ = ("link", "prefix_length", "text")

    def __init__(self, body: bytes) -> None:
        family, self.prefix_length, _, _, self.link = _ADDRESS.unpack_from(body)
        given = parse_attributes(body, _ADDRESS.size)
        packed = given.get(IFA_LOCAL) or given[IFA_ADDRESS]  # IPv6 has the second alone
        self.text = socket.inet_ntop(family, packed)

    def __str__(self) -> str:
        """`172.18.0.1/16`."""
        return f"{self.text}/{self.prefix_length}"


class RouteSocket(NetlinkSocket):
    """rtnetlink of one namespace."""

    def __init__(self, opened: socket.socket | None = None) -> None:
        super().__init__(NETLINK_ROUTE, opened)
        self._leaving: list[int] | None = None  # links that are to go together

    def __enter__(self) -> RouteSocket:
        return self

    def remove_link(self, index: int) -> None:
        """Delete a link; accepts absence. Costs two RCU grace periods and more (15-40 ms): drop
        the namespace where that will do."""
        if self._leaving is not None:
            self._leaving.append(index)
            return
        with accepting(errno.ENODEV):
            self.send([(RTM_DELLINK, 0, _link(index))])

    @contextlib.contextmanager
    def removing_together(self) -> Iterator[None]:
        """Links that are removed in the with-block go at its end, as one: half of what the kernel
        waits for is waited for once."""
        self._leaving = []
        try:
            yield
        finally:
            leaving, self._leaving = self._leaving, None
            self._remove_links(leaving)

    def _remove_links(self, indices: list[int]) -> None:
        if len(indices) < 2:
            for index in indices:
                self.remove_link(index)
            return
        group = attribute(IFLA_GROUP, struct.pack("=I", self._unused_group()))
        with accepting(errno.ENODEV):  # one has gone by itself: the others are in the group
            self.send([(RTM_NEWLINK, 0, _link(index) + group) for index in indices])
        with accepting(errno.ENODEV):
            self.send([(RTM_DELLINK, 0, _link() + group)])

    def _unused_group(self) -> int:
        """One that no link is in; of two thousand million, so that nobody else chooses it now."""
        taken = {
            int.from_bytes(parse_attributes(body, _LINK.size).get(IFLA_GROUP, b""), sys.byteorder)
            for body in self.dump(RTM_GETLINK, _link())
        }
        while (group := int.from_bytes(os.urandom(4), sys.byteorder) >> 1) in taken:
            pass
        return group

    def find_link(self, name: str) -> Link | None:
        """The link of that name, or None."""
        try:
            bodies = self.dump(RTM_GETLINK, _link() + text(IFLA_IFNAME, name), flags=0)
        except NetlinkError as error:
            if error.errno in (errno.ENODEV, errno.ERANGE):  # the second: too long for a name
                return None
            raise
        return Link(bodies[0])

    def links(self) -> list[Link]:
        """All links of the namespace."""
        return [Link(body) for body in self.dump(RTM_GETLINK, _link())]

    def addresses(self, link: int = 0) -> list[Address]:
        """The IPv4 and IPv6 addresses of a link, by its index; of all of the namespace with 0."""
        self.socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)  # else all are given
        try:
            bodies = self.dump(RTM_GETADDR, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, link))
        finally:
            self.socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 0)
        return [Address(body) for body in bodies if body[0] in (socket.AF_INET, socket.AF_INET6)]

    def choose_route(self, address: str) -> bytes:
        """How the kernel would send to an address: a route of any kind, as a message. Raises
        NetlinkError where it would not: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        packed = socket.inet_pton(family, address)
        body = _ROUTE.pack(family, 8 * len(packed), *[0] * 7) + attribute(RTA_DST, packed)
        (found,) = self.dump(RTM_GETROUTE, body, flags=0)
        return found

    def route_to(self, address: str) -> Route | None:
        """By which route the host would send to an address; None where it would not send, and
        for its own addresses."""
        try:
            found = self.choose_route(address)
        except NetlinkError as error:
            if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL):
                return None
            raise
        return Route(found) if found[7] == RTN_UNICAST else None

    def unicast_routes(self, family: int = socket.AF_INET) -> list[Route]:
        """All unicast routes of that address family, of all tables."""
        bodies = self.dump(RTM_GETROUTE, _ROUTE.pack(family, *[0] * 8))
        return [Route(body) for body in bodies if body[7] == RTN_UNICAST]


def bridge(name: str, mac_address: str, mtu: int) -> Message:
    """Create a bridge, down. A MAC that was set stays; else it would follow the ports."""
    body = _link() + text(IFLA_IFNAME, name) + attribute(IFLA_ADDRESS, mac_bytes(mac_address))
    body += attribute(IFLA_MTU, struct.pack("=I", mtu))
    return RTM_NEWLINK, _NEW, body + nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"))


def veth(
    name: str, peer: str, *, master: int, peer_mac: str, peer_namespace: int, mtu: int
) -> Message:
    """Create a pair: `name` here as a port of a bridge, `peer` in another namespace. Both down.

    A peer cannot be created up (ENOTCONN): that is done from inside. The hairpin flag needs a
    later message: `port_up`.
    """
    size = attribute(IFLA_MTU, struct.pack("=I", mtu))
    inside = _link() + text(IFLA_IFNAME, peer) + attribute(IFLA_ADDRESS, mac_bytes(peer_mac))
    inside += size + attribute(IFLA_NET_NS_FD, struct.pack("=I", peer_namespace))
    pair = text(IFLA_INFO_KIND, "veth") + nested(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, inside))
    body = _link() + text(IFLA_IFNAME, name) + attribute(IFLA_MASTER, struct.pack("=I", master))
    return RTM_NEWLINK, _NEW, body + size + nested(IFLA_LINKINFO, pair)


def macvlan(name: str, *, parent: int, mode: int, mac: str, namespace: int, mtu: int) -> Message:
    """Create a link with a MAC of its own on top of `parent`, in another namespace. Down."""
    data = attribute(IFLA_MACVLAN_MODE, struct.pack("=I", mode))
    extra = attribute(IFLA_ADDRESS, mac_bytes(mac)) + attribute(IFLA_MTU, struct.pack("=I", mtu))
    return _on_top(name, "macvlan", parent, data, extra, namespace)


def ipvlan(
    name: str, *, parent: int, mode: int, flags: int, namespace: int | None = None
) -> Message:
    """Create a link with the MAC of `parent`, in another namespace or in this one. Down."""
    data = attribute(IFLA_IPVLAN_MODE, struct.pack("=H", mode))
    data += attribute(IFLA_IPVLAN_FLAGS, struct.pack("=H", flags))
    return _on_top(name, "ipvlan", parent, data, b"", namespace)


def vlan(name: str, *, parent: int, number: int) -> Message:
    """Create the link of an 802.1q VLAN of `parent`. Down."""
    return _on_top(name, "vlan", parent, attribute(IFLA_VLAN_ID, struct.pack("=H", number)))


def join_bridge(name: str, master: int) -> Message:
    """Make `name` a port of a bridge."""
    body = _link() + text(IFLA_IFNAME, name) + attribute(IFLA_MASTER, struct.pack("=I", master))
    return RTM_NEWLINK, 0, body


def port_up(name: str, *, isolated: bool = False, hairpin: bool = True) -> Message:
    """Bring a bridge port up, without an IPv6 address of its own.

    isolated  it exchanges frames with the bridge itself alone, not with other isolated ports
    hairpin   what it sends may come back to it: without that a container cannot reach itself by
              its published port once br_netfilter is on, which every Docker host has
    """
    flags = attribute(IFLA_BRPORT_MODE, bytes([hairpin]))
    flags += attribute(IFLA_BRPORT_ISOLATED, bytes([isolated]))
    port = text(IFLA_INFO_SLAVE_KIND, "bridge") + nested(IFLA_INFO_SLAVE_DATA, flags)
    silent = attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([ADDR_GEN_MODE_NONE]))
    body = _link(flags=IFF_UP, change=IFF_UP) + text(IFLA_IFNAME, name)
    body += nested(IFLA_LINKINFO, port) + nested(IFLA_AF_SPEC, nested(socket.AF_INET6, silent))
    return RTM_NEWLINK, 0, body


def link_alias(name: str, alias: str) -> Message:
    """Free text on a link, which `ip link` shows. It is not taken when a link is made: sent along
    with that, so that a kill comes before both or after both."""
    return RTM_NEWLINK, 0, _link() + text(IFLA_IFNAME, name) + text(IFLA_IFALIAS, alias)


def link_up(index: int) -> Message:
    """Bring a link up."""
    return RTM_NEWLINK, 0, _link(index, IFF_UP, IFF_UP)


def link_address(index: int, address: str, prefix_length: int) -> Message:
    """Give a link an address; an IPv4 one with the broadcast address of its subnet.

    Duplicates are not looked for: an IPv6 address could not be used for a second (engine.md
    B1.4).
    """
    if ":" in address:
        body = _ADDRESS.pack(socket.AF_INET6, prefix_length, IFA_F_NODAD, 0, index)
        local = attribute(IFA_LOCAL, socket.inet_pton(socket.AF_INET6, address))
        return RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body + local
    local = socket.inet_aton(address)
    host = (1 << (32 - prefix_length)) - 1
    broadcast = (int.from_bytes(local, "big") | host).to_bytes(4, "big")
    body = _ADDRESS.pack(socket.AF_INET, prefix_length, 0, 0, index)
    body += attribute(IFA_LOCAL, local) + attribute(IFA_ADDRESS, local)
    return RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body + attribute(IFA_BROADCAST, broadcast)


def link_address_removal(index: int, address: str, prefix_length: int) -> Message:
    """Take an address away; EADDRNOTAVAIL when it is not there."""
    _, _, body = link_address(index, address, prefix_length)
    return RTM_DELADDR, 0, body


def default_route(
    gateway: str, index: int, table: int = RT_TABLE_MAIN, *, replaces: bool = False
) -> Message:
    """0.0.0.0/0 or ::/0 by a gateway that is on a link; in place of the one that is there, or
    EEXIST."""
    flags = NLM_F_CREATE | NLM_F_REPLACE if replaces else _NEW
    return RTM_NEWROUTE, flags, _default_route(gateway, index, table)


def default_route_removal(gateway: str, index: int, table: int = RT_TABLE_MAIN) -> Message:
    """Delete that route; ESRCH when it is not there."""
    return RTM_DELROUTE, 0, _default_route(gateway, index, table)


def mac_bytes(mac_address: str) -> bytes:
    """`02:42:ac:12:00:02` as six bytes."""
    return bytes.fromhex(mac_address.replace(":", "").replace("-", ""))


def _on_top(
    name: str, kind: str, parent: int, data: bytes, extra: bytes = b"", namespace: int | None = None
) -> Message:
    body = _link() + text(IFLA_IFNAME, name) + attribute(IFLA_LINK, struct.pack("=I", parent))
    if namespace is not None:
        extra += attribute(IFLA_NET_NS_FD, struct.pack("=I", namespace))
    info = text(IFLA_INFO_KIND, kind) + nested(IFLA_INFO_DATA, data)
    return RTM_NEWLINK, _NEW, body + extra + nested(IFLA_LINKINFO, info)


def _default_route(gateway: str, index: int, table: int) -> bytes:
    family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
    body = _ROUTE.pack(family, 0, 0, 0, 0, RTPROT_BOOT, 0, RTN_UNICAST, 0)
    body += attribute(RTA_TABLE, struct.pack("=I", table))
    body += attribute(RTA_GATEWAY, socket.inet_pton(family, gateway))
    return body + attribute(RTA_OIF, struct.pack("=I", index))


def _link(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return _LINK.pack(socket.AF_UNSPEC, 0, index, flags, change)


def _string(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
