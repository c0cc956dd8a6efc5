"""A running container's own network namespace, beside what its launch record says of it."""

from __future__ import annotations

import contextlib
import socket

from engine.kernel.namespaces import joined_network
from engine.kernel.nftables import NftSocket
from engine.kernel.rtnetlink import RouteSocket
from engine.network.dns import listeners
from engine.network.endpoint import addresses_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from engine.kernel.rtnetlink import Link


def find_faults(netns_fd: int, record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(network, what is not as recorded, in plain words). Changes nothing.

    record   the `network` section of the launch record

    It joins the namespace for a moment: for a thread of its own.
    """
    with contextlib.ExitStack() as opened:
        with joined_network(netns_fd):
            inside = opened.enter_context(RouteSocket())
            netlink = opened.enter_context(NftSocket())
        found = [
            (endpoint["network"], what)
            for endpoint in (*record["endpoints"], *record.get("plugs", ()))
            for what in _faults(inside, endpoint)
        ]
        has_server = record["mode"] == "sandbox" and record["dns"]["embedded"]
        if has_server and not listeners.is_redirected(netlink):
            name = next((endpoint["network"] for endpoint in record["endpoints"]), "")
            found.append((name, "its name server is cut off"))
    return found


def _faults(inside: RouteSocket, endpoint: Mapping[str, Any]) -> Iterator[str]:
    name = endpoint["interface"]
    link = inside.find_link(name)
    if link is None:
        yield f"it has no {name} any more"
        return
    if not link.up:
        yield f"{name} is down"
    there = {str(one) for one in inside.addresses(link.index)}
    for address, length in addresses_of(endpoint):
        if f"{address}/{length}" not in there:
            yield f"{name} has no {address}/{length} any more"
    for place in endpoint["addresses"]:
        if place.get("source_routed"):
            continue  # a DHCP server may have given it another
        if place["default_route"] and not _has_default_route(inside, link, place["gateway"]):
            yield f"its default route by {place['gateway']} is gone"


def _has_default_route(inside: RouteSocket, link: Link, gateway: str) -> bool:
    family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
    packed = socket.inet_pton(family, gateway)
    return any(
        route.prefix_length == 0 and route.link == link.index and route.gateway == packed
        for route in inside.unicast_routes(family)
    )
