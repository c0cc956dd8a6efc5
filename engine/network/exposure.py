"""From where a published port can be reached, as far as this host can know.

What decides is the address that the port is bound to, the addresses of the host's links, and the
routes that lead away from them. Unknown here, and not guessed at, is what routers in front of the
host do: they may filter, and they may forward ports to a private address.
"""

from __future__ import annotations

import ipaddress
import socket

from engine.kernel.record import Record
from engine.kernel.rtnetlink import LOOPBACK_INDEX, RouteSocket
from engine.network.obstacles import SPLIT_DEFAULT
from engine.network.publication import ANY_ADDRESS, ANY_ADDRESS6

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Literal

    from engine.kernel.rtnetlink import Address, Link, Route

    Scope = Literal["everywhere", "routed", "lan"]

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_OF_THIS_HOST = ("veth", "tun")  # the ports of a bridge that leads nowhere but to its guests
_ORDER = ("everywhere", "routed", "lan")


class Way(Record):
    """One address of the host that others reach it by.

    scope  everywhere: a public address, and a default route for the answers; routed: a private
           one, with routes away from its link: the LAN, and whoever has a route to it; lan: the
           link's own subnet alone
    """

    scope: Scope
    link: str
    address: str


def observe_ways() -> tuple[Way, ...]:
    """The ways to this host, the widest first. 1 ms."""
    with RouteSocket() as host:
        return ways_of(
            host.links(),
            host.addresses(),
            {version: host.unicast_routes(family) for version, family in _FAMILIES.items()},
        )


def ways_of(
    links: list[Link], addresses: Iterable[Address], routes: dict[int, list[Route]]
) -> tuple[Way, ...]:
    """The same, of what the kernel has said; `routes` by IP version."""
    names = {link.index: link.name for link in leading_away(links)}
    found = [
        Way(
            scope=_scope(address, routes[6 if ":" in address.text else 4]),
            link=names[address.link],
            address=address.text,
        )
        for address in addresses
        if address.link in names
    ]
    return tuple(sorted(found, key=_rank))


def ways_to(host_ip: str, ways: Iterable[Way]) -> tuple[Way, ...]:
    """Those by which a port that is bound to `host_ip` is reached; none: from this host alone.

    Where it is bound to all addresses, the widest way of each link stands for the others.
    """
    if host_ip not in (ANY_ADDRESS, ANY_ADDRESS6):
        return tuple(way for way in ways if way.address == host_ip)
    found: dict[str, Way] = {}
    for way in ways:
        if (":" in way.address) == (":" in host_ip):
            found.setdefault(way.link, way)
    return tuple(found.values())


def leading_away(links: list[Link]) -> Iterator[Link]:
    """Neither loopback nor the bridges that only containers and virtual machines are on."""
    ports: dict[int, list[str]] = {}
    for link in links:
        ports.setdefault(link.master, []).append(link.kind)
    for link in links:
        inner = link.kind == "bridge" and all(
            kind in _OF_THIS_HOST for kind in ports.get(link.index, ())
        )
        if link.up and not inner and link.index != LOOPBACK_INDEX:
            yield link


def _scope(address: Address, routes: list[Route]) -> Scope:
    ip = ipaddress.ip_address(address.text)
    if ip.is_link_local:
        return "lan"
    if ip.is_global and any(route.prefix_length <= SPLIT_DEFAULT for route in routes):
        return "everywhere"
    # of a route by several links at once none is named
    away = any(route.link in (address.link, 0) and not route.on_link for route in routes)
    return "routed" if away else "lan"


def _rank(way: Way) -> tuple[int, bool]:
    """A link-local address is named where there is no other."""
    return _ORDER.index(way.scope), way.address.startswith("fe80:")
