"""The route that the kernel of a namespace takes to an address."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from engine.kernel.namespaces import socket_in
from engine.kernel.netlink import NETLINK_ROUTE, NetlinkError, attribute, parse_attributes
from engine.kernel.record import Record
from engine.kernel.rtnetlink import RTA_DST, RTA_GATEWAY, RTA_OIF, RTM_GETROUTE, RouteSocket

if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["unicast", "local", "blackhole", "unreachable", "prohibit", "other"]

_ROUTE = struct.Struct("=BBBBBBBBI")
_RTA_PREFSRC = 7
_KINDS: dict[int, Kind] = {
    1: "unicast",
    2: "local",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
}  # RTN_*


class FoundRoute(Record):
    """Where packets to an address go.

    link     by which they leave; gateway: to whom on it, "": to the address itself
    source   under which address
    """

    kind: Kind
    link: str
    gateway: str
    source: str


def find_route(netns_fd: int, target: str) -> FoundRoute | OSError:
    """The kernel's choice, or why it has none: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    packed = socket.inet_pton(family, target)
    body = _ROUTE.pack(family, len(packed) * 8, *[0] * 7) + attribute(RTA_DST, packed)
    opened = socket_in(netns_fd, socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    with RouteSocket(opened) as netlink:
        try:
            found = netlink.dump(RTM_GETROUTE, body, flags=0)[0]
        except NetlinkError as error:
            return error
        names = {link.index: link.name for link in netlink.links()}
    given = parse_attributes(found, _ROUTE.size)
    return FoundRoute(
        kind=_KINDS.get(found[7], "other"),
        link=names.get(int.from_bytes(given.get(RTA_OIF, b""), "little"), ""),
        gateway=_text(family, given.get(RTA_GATEWAY)),
        source=_text(family, given.get(_RTA_PREFSRC)),
    )


def _text(family: int, packed: bytes | None) -> str:
    return socket.inet_ntop(family, packed) if packed else ""
