"""What is left in the kernel and the run root of containers, networks and engines that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.network import abandoned, names
from engine.network.finding import Finding
from engine.network.subnets import subnet_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from engine.network.gateway import Gateway
    from engine.network.spec import Network
    from engine.state.paths import Roots


def find(roots: Roots, gateway: Gateway, networks: list[Network]) -> list[Finding]:
    """All of it. Changes nothing."""
    unheld = [
        Finding(network=network.name, what=f"{entry.names[0]} is named, and has ended")
        for network in networks
        for entry in names.read(roots.network_run(network.id))
        if entry.names and not entry.alive
    ]
    stale = gateway.find_stale(gateway.contents())
    gone = [*stale, *abandoned.find()]
    return [*unheld, *(Finding(network="", what=what) for what in gone)]


def drop_unheld(
    roots: Roots, gateway: Gateway, networks: list[Network], live: Collection[str] = ()
) -> None:
    """Names and firewall elements of monitors that were killed.

    live   ids of containers that have a monitor for sure
    """
    for network in networks:
        names.keep(roots.network_run(network.id), lambda e: e.container_id in live or e.alive)
    gateway.withdraw_stale({container_id[:12] for container_id in live})


def remove(roots: Roots, gateway: Gateway, networks: Callable[[], list[Network]]) -> None:
    """Take it away; accepts absence."""
    drop_unheld(roots, gateway, networks())
    with subnet_lock():  # nobody creates one meanwhile
        gateway.hold_only_known()
    abandoned.remove()
