"""What the published ports of a container come to: firewall elements, relayed sockets, a list."""

from __future__ import annotations

from engine.network.publication import Publication, address_for
from engine.network.relay import Listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from engine.network.ports import Reservation


def described(reservations: Iterable[Reservation]) -> list[dict[str, Any]]:
    """Ports as bound: `host_ip`, `published`, `target`, `protocol`."""
    return [
        {
            "host_ip": one.host_ip,
            "published": one.published,
            "target": one.target,
            "protocol": one.protocol,
        }
        for one in reservations
    ]


def publications(
    record: Mapping[str, Any], reservations: Iterable[Reservation], holder: str
) -> list[Publication]:
    """Those that the kernel translates, to an address of the IP version that they are published
    on; and those that it lets through."""
    addresses = _ways_in(record)
    found = []
    for one in reservations:
        address = address_for(one.host_ip, addresses)
        if address is not None:
            found.append(
                Publication(one.protocol, one.host_ip, one.published, address, one.target, holder)
            )
    opened = [
        Publication(port["protocol"], address, port["target"], address, port["target"], holder)
        for port in record["ports"]
        for address in addresses
        if (6 if ":" in address else 4) in port["opened"]
    ]
    return found + opened


def relayed(record: Mapping[str, Any], reservations: Iterable[Reservation]) -> list[Listener]:
    """The ports that clients of ours come to, with where they go."""
    addresses = _ways_in(record)
    return [
        Listener(one.socket, (address_for(one.host_ip, addresses) or addresses[0], one.target))
        for one in reservations
        if one.relayed
    ]


def is_way_in(endpoint: Mapping[str, Any]) -> bool:
    """Whether published ports lead there: answers leave by it, with the host as the router."""
    return endpoint["routed"] and any(map(_leads_out, endpoint["addresses"]))


def _ways_in(record: Mapping[str, Any]) -> list[str]:
    return [
        place["address"]
        for endpoint in record["endpoints"]
        for place in endpoint["addresses"]
        if endpoint["routed"] and _leads_out(place)
    ]


def _leads_out(place: Mapping[str, Any]) -> bool:
    return bool(place["default_route"] or place.get("source_routed"))
