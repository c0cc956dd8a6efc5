"""Why a packet did not get on, and what to change."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from engine.kernel.legacytables import read_forward_chain
from engine.kernel.nftables import NftSocket
from engine.kernel.nftexpressions import IPV4, IPV6
from engine.kernel.settings import read_setting
from engine.network.apart import INTO_DOCKERS
from engine.network.coexistence import Neighbours
from engine.network.drivers.bridge import is_filtered
from engine.network.ruleset import (
    BETWEEN_UPLINKS,
    FROM_INTERNAL,
    INTO_INTERNAL,
    LOOPBACK_FROM_AFAR,
    UNPUBLISHED,
)
from engine.network.trace.owners import BUOY, foreign_hint
from engine.network.trace.route import FoundRoute

if TYPE_CHECKING:
    from engine.network.topology.facts import SeenNetwork
    from engine.network.trace.evidence import Evidence
    from engine.network.trace.facts import Verdict
    from engine.network.trace.places import Ends

_HINTS = {
    FROM_INTERNAL: "nothing leaves an internal network: put {source} on another one as well",
    INTO_INTERNAL: "nothing enters an internal network: put {source} on it, too",
    UNPUBLISHED: "put both on one network, or publish the port and ask an address of the host",
    INTO_DOCKERS: "publish the port with Docker, and ask an address of the host",
    BETWEEN_UPLINKS: "the host forwards for containers alone, as it was no router before",
    LOOPBACK_FROM_AFAR: "127.0.0.1 is for this host alone: publish the port without it",
}


def why_unrouted(ends: Ends, evidence: Evidence) -> tuple[str, str]:
    """Why the source has no route, and what to change."""
    route, name, address = evidence.route, ends.source_name, evidence.address
    if isinstance(route, FoundRoute) and route.kind == "unicast":
        return f"{name} has no address on {route.link} to send to {address} from", ""
    if isinstance(route, FoundRoute):
        return f"the route of {name} to {address} is {route.kind}", ""
    reason = os.strerror(route.errno or 0) if route is not None else ""
    said = f"{name} has no route to {address} ({reason})"
    if ends.source is None:
        return said, ""
    endpoints = ends.source.endpoints
    if not endpoints:
        return f"{said}: it is on no network", ""
    internal = [e.network for e in endpoints if ends.networks[e.network].internal]
    if len(internal) == len(endpoints):
        said += f": it is on internal networks alone ({', '.join(internal)})"
        return said, "put it on a network with a way out as well"
    version = 6 if ":" in address else 4
    has_version = any((":" in one) == (version == 6) for e in endpoints for one in e.addresses)
    return said if has_version else f"{said}: its networks have no IPv{version}", ""


def drop_hint(ends: Ends, evidence: Evidence, dropped: Verdict) -> str:
    """What to change where a rule has dropped the packet."""
    if dropped.owner == BUOY:
        if dropped.comment == UNPUBLISHED and ends.shared():
            return "enable_icc is false on that network: its containers are kept apart"
        return _HINTS.get(dropped.comment, "").format(source=ends.source_name)
    return foreign_hint(dropped, _device(ends, evidence))


def _device(ends: Ends, evidence: Evidence) -> str:
    """The device of ours that the packet comes from, or else goes to."""
    used = evidence.route.link if isinstance(evidence.route, FoundRoute) else ""
    endpoints = ends.source.endpoints if ends.source is not None else ()
    names = [one.network for one in endpoints if one.interface == used]
    network = ends.networks[names[0]] if names else ends.network_of(evidence.behind)
    return network.device if network is not None else "LINK"


def obstacles(ends: Ends, own_table: str) -> list[str]:
    """What may keep others from a published port, though the host itself reaches it."""
    network = ends.way_in() if ends.port is not None else None
    if network is None or ends.port is None or ends.port.is_local:
        return []
    header = IPV6 if ":" in ends.port.host_ip else IPV4
    with NftSocket() as netlink:
        neighbours = Neighbours(netlink, own_table)
        told = [what for what, _ in neighbours.unanswered(network.device, [header])]
        return [*neighbours.faults(network.device, [header]), *told]


def why_lost(ends: Ends, evidence: Evidence) -> tuple[str, tuple[str, ...], str]:
    """Where no rule of nftables has dropped it: what is known, and what to look at."""
    error = evidence.seen.error
    if error is not None:
        return f"{ends.source_name} could not send it ({error.strerror})", (), ""
    network = next((one for one in ends.shared() if not one.icc), None)
    if network is not None and not is_filtered():
        said = f"{network.device} keeps its ports apart: enable_icc is false on {network.name}"
        return said, (), "take the option away to let its containers reach each other"
    last = [one for one in evidence.seen.sightings if one in evidence.sent(one.place)]
    if not last:
        said = f"it did not leave {ends.source_name}: nobody on its link answers for that address"
        return said, tuple(wrong_routes(ends, evidence)), ""
    link = last[-1].link
    details = [*wrong_routes(ends, evidence), *_suspects(link)]
    said = f"it was last seen on {link}; no rule of nftables dropped it"
    return said, tuple(details), "it may be one of these" if details else ""


def wrong_routes(ends: Ends, evidence: Evidence) -> list[str]:
    """Routes of the host that lead past our networks, there or back."""
    found = []
    ways = [(evidence.behind, evidence.host_route)]
    if evidence.flow is not None and ends.source is not None:
        ways.append((evidence.flow.source, evidence.back_route))
    for address, route in ways:
        network = ends.network_of(address)
        if isinstance(route, OSError) and network is not None:
            found.append(f"the host's route to {address}: {os.strerror(route.errno or 0)}")
        elif isinstance(route, FoundRoute) and route.kind == "unicast" and network is not None:
            found += _leads_past(address, route, network)
    return found


def _leads_past(address: str, route: FoundRoute, network: SeenNetwork) -> list[str]:
    if not network.routed:
        return [f"the host itself is not heard on {network.name} ({network.driver})"]
    if route.link == network.device:
        return []
    return [
        f"the host sends to {address} by {route.link}, not by {network.device}: "
        "another route lies over that subnet"
    ]


def _suspects(link: str) -> list[str]:
    """What else drops packets, as it is set here."""
    found = []
    if _setting(f"ipv4/conf/{link}/rp_filter") == "1" or _setting("ipv4/conf/all/rp_filter") == "1":
        found.append(f"rp_filter is strict: {link} takes only what would be answered by it")
    if _setting("ipv4/ip_forward") == "0":
        found.append("net.ipv4.ip_forward is 0: the host forwards nothing")
    legacy = read_forward_chain()
    if legacy is not None:
        drops = "drops what it does not know" if legacy.drops else "may drop it"
        found.append(f"chain FORWARD of iptables-legacy {drops}: that cannot be traced")
    return found


def _setting(name: str) -> str:
    with contextlib.suppress(FileNotFoundError):
        return read_setting(f"/proc/sys/net/{name}")
    return ""
