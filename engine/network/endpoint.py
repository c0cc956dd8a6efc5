"""One container on one network: its interface, with the addresses and routes that it has there."""

from __future__ import annotations

from engine.kernel import rtnetlink, rtrules
from engine.kernel.namespaces import joined_network
from engine.kernel.settings import write_setting
from engine.network.drivers import bridge  # noqa: F401 - here once, not in each child
from engine.network.drivers.driver import load_driver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from engine.kernel.netlink import Message
    from engine.kernel.rtnetlink import RouteSocket

_FIRST_TABLE = 1000  # of the routes for answers: one for each link


def plug(host: RouteSocket, inside: RouteSocket, netns_fd: int, endpoint: Mapping[str, Any]) -> str:
    """Make the link, give it its addresses and routes; the name of its end at the host.

    host, inside   rtnetlink of the host's and of the container's namespace
    endpoint       of the launch record
    """
    link = load_driver(endpoint).plug(host, netns_fd, endpoint)
    configure(inside, netns_fd, endpoint)
    return link


def configure(
    inside: RouteSocket, netns_fd: int, endpoint: Mapping[str, Any], *, routes: bool = True
) -> None:
    """Sysctls, addresses and routes of an interface that is there, and bring it up; without its
    `routes` it may be repeated."""
    own = inside.find_link(endpoint["interface"])
    assert own is not None, "the driver has just made it"
    settings = dict(endpoint["sysctls"])
    if any(":" in address for address, _ in addresses_of(endpoint)):
        settings["net.ipv6.conf.IFNAME.disable_ipv6"] = "0"  # off: without an address, silent
    if settings:
        _write_sysctls(netns_fd, endpoint["interface"], settings)
    # the addresses first: coming up then announces them (arp_notify)
    messages = [
        rtnetlink.link_address(own.index, address, length)
        for address, length in addresses_of(endpoint)
    ]
    messages.append(rtnetlink.link_up(own.index))
    ways = ways_out(endpoint, own.index, replacing=True) if routes else ()
    inside.send(messages + [message for addition, _ in ways for message in addition])


def ways_out(
    endpoint: Mapping[str, Any], index: int, *, replacing: bool = False
) -> Iterator[tuple[list[Message], list[Message]]]:
    """Its routes to elsewhere, each as what makes it and what takes it away.

    replacing  a default route that is there goes: it came by DHCP, or from inside

    Where something that was plugged in has, or may get, the default route, the answers to what
    came by a published port still have to leave as it came: by the address that they are from.
    """
    for place in endpoint["addresses"]:
        leading = place["gateway"], index
        if place["default_route"]:
            yield (
                [rtnetlink.default_route(*leading, replaces=replacing)],
                [rtnetlink.default_route_removal(*leading)],
            )
        if place.get("source_routed"):
            answers = place["address"], *leading, _FIRST_TABLE + index
            yield rtrules.source_route(*answers), rtrules.source_route_removal(*answers)


def addresses_of(endpoint: Mapping[str, Any]) -> list[tuple[str, int]]:
    """All that it has there, with their prefix lengths."""
    given = [(place["address"], place["prefix_length"]) for place in endpoint["addresses"]]
    return given + [(one, 64 if ":" in one else 16) for one in endpoint["link_local"]]


def _write_sysctls(netns_fd: int, interface: str, settings: Mapping[str, str]) -> None:
    """`IFNAME` in a name is the interface's, dots in which do not separate."""
    with joined_network(netns_fd):
        for name, value in settings.items():
            path = name.replace(".", "/").replace("IFNAME", interface)
            write_setting(f"/proc/sys/{path}", value)
