"""One container on one network: its interface, with the addresses and routes that it has there."""

from __future__ import annotations

from engine.kernel import rtnetlink
from engine.kernel.namespaces import joined_network
from engine.network.drivers.driver import load_driver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.kernel.rtnetlink import RouteSocket


def plug(host: RouteSocket, inside: RouteSocket, netns_fd: int, endpoint: Mapping[str, Any]) -> str:
    """Make the link, give it its addresses and routes; the name of its end at the host.

    host, inside   rtnetlink of the host's and of the container's namespace
    endpoint       of the launch record
    """
    link = load_driver(endpoint).plug(host, netns_fd, endpoint)
    own = inside.find_link(endpoint["interface"])
    assert own is not None, "the driver has just made it"
    if any(":" in place["address"] for place in endpoint["addresses"]):
        _enable_ipv6(netns_fd, endpoint["interface"])
    # the addresses first: coming up then announces them (arp_notify)
    messages = [
        rtnetlink.link_address(own.index, place["address"], place["prefix_length"])
        for place in endpoint["addresses"]
    ]
    messages.append(rtnetlink.link_up(own.index))
    messages += [
        rtnetlink.default_route(place["gateway"], own.index)
        for place in endpoint["addresses"]
        if place["default_route"]
    ]
    inside.send(messages)
    return link


def _enable_ipv6(netns_fd: int, interface: str) -> None:
    """It is off in the namespace: a link without an address has nothing to say."""
    with (
        joined_network(netns_fd),
        open(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6", "w", encoding="ascii") as file,
    ):
        file.write("0")
