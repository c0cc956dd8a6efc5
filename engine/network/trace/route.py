"""The route that the kernel of a namespace takes to an address."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from engine.kernel.namespaces import socket_in
from engine.kernel.netlink import NETLINK_ROUTE, NetlinkError, parse_attributes
from engine.kernel.record import Record
from engine.kernel.rtnetlink import RTA_GATEWAY, RTA_OIF, RouteSocket

if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["unicast", "local", "blackhole", "unreachable", "prohibit", "other"]

_ROUTE_BYTES = 12  # struct rtmsg
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

    @property
    def is_usable(self) -> bool:
        """Whether something can be sent by it; not from a link that has no address."""
        return self.kind == "local" or (self.kind == "unicast" and self.source != "")


def find_route(netns_fd: int, target: str) -> FoundRoute | OSError:
    """The kernel's choice, or why it has none: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    opened = socket_in(netns_fd, socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    with RouteSocket(opened) as netlink:
        try:
            found = netlink.choose_route(target)
        except NetlinkError as error:
            return error
        names = {link.index: link.name for link in netlink.links()}
    given = parse_attributes(found, _ROUTE_BYTES)
    return FoundRoute(
        kind=_KINDS.get(found[7], "other"),
        link=names.get(int.from_bytes(given.get(RTA_OIF, b""), "little"), ""),
        gateway=_text(family, given.get(RTA_GATEWAY)),
        source=_text(family, given.get(_RTA_PREFSRC)),
    )


def _text(family: int, packed: bytes | None) -> str:
    return socket.inet_ntop(family, packed) if packed else ""
