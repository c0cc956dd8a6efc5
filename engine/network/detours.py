"""Routes of the host that come in the way of a network, as those of a VPN that was started later.

The most specific route wins, so one for a part of a subnet takes this part away from the bridge,
and one for more than the subnet is hidden by the bridge. With routing by rules any route may win:
so the kernel is asked.
"""

from __future__ import annotations

import ipaddress
import socket

from engine.network.finding import Finding
from engine.network.obstacles import SPLIT_DEFAULT, link_name

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.kernel.rtnetlink import RouteSocket
    from engine.network.names import Entry
    from engine.network.spec import Address, Network, Pool, Range

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class Detours:
    """The routes of the host as they are now.

    host      must stay open
    name_of   name of a container by its id
    """

    def __init__(self, host: RouteSocket, name_of: Callable[[str], str]) -> None:
        self._host, self._name_of = host, name_of
        self._routes = {
            version: host.unicast_routes(family) for version, family in _FAMILIES.items()
        }

    def find(self, network: Network, entries: list[Entry]) -> Iterator[Finding]:
        """What of a network that is up is led elsewhere, or hides what is elsewhere.

        entries   who is on it
        """
        for pool in network.pools:
            others = self._others(network, pool)
            for other, link in sorted(others, key=str):
                taken = min(other, pool.subnet, key=lambda one: one.num_addresses)
                within = [one for one, _ in others if one.prefixlen > taken.prefixlen]
                to = self._leads_to(taken, pool.gateway, within)
                if to not in ("", network.device):
                    yield self._cut_off(network, pool, taken, to, entries)
                elif taken == pool.subnet and other.prefixlen > SPLIT_DEFAULT and not pool.is_given:
                    yield _hidden(network, pool, other, link_name(link) or "a gateway")

    def _others(self, network: Network, pool: Pool) -> set[tuple[Range, int]]:
        """Routes that have an address in common with the subnet, but for the bridge's own."""
        there = pool.subnet
        own, bits = int(there.network_address), there.max_prefixlen
        found = set()
        for route in self._routes[pool.family]:
            # before it is made an address: each network is compared with the routes of all others
            beyond = bits - min(route.prefix_length, there.prefixlen)
            if (int.from_bytes(route.destination, "big") ^ own) >> beyond == 0:
                other = ipaddress.ip_network((route.destination, route.prefix_length))
                # a link-local one each link has for itself
                if link_name(route.link) != network.device and not other.is_link_local:
                    found.add((other, route.link))
        return found

    def _leads_to(self, taken: Range, gateway: Address, within: list[Range]) -> str:
        """The link that the host would reach addresses of a range by; "" where it would not.

        within   parts of it with routes of their own, of which nothing is asked if that can be
        """
        first, last = taken.network_address, taken.broadcast_address
        candidates = [one for one in (first + 1, first + 2, first, last - 1) if one in taken]
        usable = [one for one in candidates if one != gateway]
        outside = (one for one in usable if not any(one in part for part in within))
        probe = next(outside, usable[0])
        route = self._host.route_to(str(probe))
        return link_name(route.link) if route else ""

    def _cut_off(
        self, network: Network, pool: Pool, taken: Range, to: str, entries: list[Entry]
    ) -> Finding:
        there = [
            f"{self._name_of(entry.container_id)} ({address})"
            for entry in entries
            for address in entry.addresses
            if entry.alive and ipaddress.ip_address(address) in taken
        ]
        what = f"{taken} of its subnet is led to {to} by a route of the host: "
        what += f"{', '.join(there)} cannot be reached" if there else "nobody has an address there"
        return Finding(network=network.name, what=what, hint=_way_out(network, pool))


def _hidden(network: Network, pool: Pool, other: Range, link: str) -> Finding:
    what = f"its subnet {pool.subnet} hides a part of {other}, which the host has by {link}"
    return Finding(network=network.name, what=what, hint=_way_out(network, pool))


def _way_out(network: Network, pool: Pool) -> str:
    if pool.is_given:
        return f"remove that route, or give {network.name} another subnet (ipam.config)"
    return "remove that route, or `buoy down` and `buoy up`: they choose a subnet that is free"
