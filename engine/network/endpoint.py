"""One container on one network: a veth whose far end is made in the container's namespace."""

from __future__ import annotations

import errno
import os

from engine.kernel import rtnetlink
from engine.kernel.namespaces import joined_network
from engine.kernel.netlink import NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.kernel.rtnetlink import RouteSocket

_NAME_ATTEMPTS = 8


class BridgeMissing(OSError):
    """The bridge of a network is not there: somebody deleted it."""

    def __init__(self, network: str, bridge: str) -> None:
        super().__init__(f"network {network}: its bridge {bridge} is not there")
        self.network = network
        self.bridge = bridge


def plug(host: RouteSocket, inside: RouteSocket, netns_fd: int, endpoint: Mapping[str, Any]) -> str:
    """Make the link, give it its address and routes; the name of its end at the host.

    host, inside   rtnetlink of the host's and of the container's namespace
    endpoint       of the launch record
    """
    bridge = host.find_link(endpoint["bridge"])
    if bridge is None:
        raise BridgeMissing(endpoint["network"], endpoint["bridge"])
    link = _make_pair(host, netns_fd, bridge.index, endpoint)
    host.send([rtnetlink.port_up(link)])
    own = inside.find_link(endpoint["interface"])
    assert own is not None, "the kernel has just made it"
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


def replug(host: RouteSocket, link: str, bridge: int) -> bool:
    """Put an existing veth back on a bridge that was made anew; False when it is gone."""
    found = host.find_link(link)
    if found is None:
        return False
    if found.master != bridge:
        host.send([rtnetlink.join_bridge(link, bridge), rtnetlink.port_up(link)])
    return True


def _enable_ipv6(netns_fd: int, interface: str) -> None:
    """It is off in the namespace: a link without an address has nothing to say."""
    with (
        joined_network(netns_fd),
        open(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6", "w", encoding="ascii") as file,
    ):
        file.write("0")


def _make_pair(host: RouteSocket, netns_fd: int, bridge: int, endpoint: Mapping[str, Any]) -> str:
    for _ in range(_NAME_ATTEMPTS):
        link = f"veth{os.urandom(4).hex()[:7]}"
        pair = rtnetlink.veth(
            link,
            endpoint["interface"],
            master=bridge,
            peer_mac=endpoint["mac_address"],
            peer_namespace=netns_fd,
            mtu=endpoint["mtu"],
        )
        try:
            host.send([pair])  # alone: what follows must not touch a stranger of that name
        except NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
            continue
        return link
    raise NetlinkError(errno.EEXIST, f"veth for network {endpoint['network']}")
