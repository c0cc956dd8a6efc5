"""Plugged interfaces in the launch record: of the shape of its endpoints, so that drivers and
rewiring treat both alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.network.plugs.devices import ensure_device, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from engine.containers.spec import PlugSpec
    from engine.kernel.rtnetlink import RouteSocket


def described_plugs(
    host: RouteSocket, wishes: Sequence[PlugSpec], owner: str, run_directory: str, hostname: str
) -> list[dict[str, Any]]:
    """`plugs` of the launch record; their devices are there afterwards.

    owner          name in the kernel of the engine
    run_directory  of the container, where what is known of leases is kept

    Raises NetworkProblem.
    """
    found = []
    for place, wish in enumerate(wishes):
        link = ensure_device(host, wish, owner)
        later = wishes[place + 1 :]
        described = _described(wish, link.mtu, later)
        described["dhcp"] = _dhcp(wish, run_directory, hostname)
        found.append(described)
    return found


def taken_ways(wishes: Iterable[PlugSpec]) -> set[int]:
    """The IP versions whose default route is that of a plugged interface."""
    return {_version(gateway) for wish in wishes for gateway in wish.gateways}


def possible_ways(wishes: Iterable[PlugSpec]) -> set[int]:
    """Those, and where it may become that of one: a DHCP server decides."""
    wishes = tuple(wishes)
    return taken_ways(wishes) | {4 for wish in wishes if wish.dhcp}


def _described(wish: PlugSpec, mtu: int, later: Sequence[PlugSpec]) -> dict[str, Any]:
    """`later`: those that were plugged in after it, whose gateways go before its own."""
    gateways = {_version(gateway): gateway for gateway in wish.gateways}
    lost = taken_ways(later)
    addresses = []
    for text in wish.addresses:
        address, _, length = text.partition("/")
        version = _version(address)
        gateway = gateways.pop(version, "")  # of several addresses the first has it
        addresses.append(
            {
                "address": address,
                "prefix_length": int(length),
                "gateway": gateway,
                "default_route": bool(gateway) and version not in lost,
            }
        )
    return {
        "network_id": name_of(wish),
        "network": name_of(wish),
        "driver": "bridge" if wish.bridge else wish.driver,
        "driver_file": None,
        "device": wish.device,
        "options": {} if wish.bridge else {"parent": wish.device},
        "interface": wish.interface,
        "addresses": addresses,
        "mac_address": wish.mac_address,
        "mtu": mtu,
        "isolated": False,
        "hairpin": False,
        "link_local": [],
        "sysctls": {},
    }


def _dhcp(wish: PlugSpec, run_directory: str, hostname: str) -> dict[str, Any] | None:
    if not wish.dhcp:
        return None
    from engine.network.dhcp.lease import directory_of
    from engine.network.dhcp.programs import find_client

    return find_client(directory_of(run_directory, wish.interface), hostname)


def _version(address: str) -> int:
    return 6 if ":" in address else 4
