"""Recording a new network: its subnets are chosen among all that are in use on the host."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from engine.errors import NetworkProblem
from engine.kernel.rtnetlink import RouteSocket
from engine.network import ipam, records
from engine.network.defaults import BRIDGE, default_candidates, default_id
from engine.network.drivers.driver import get_driver
from engine.network.obstacles import Obstacle, route_obstacles, server_obstacles
from engine.network.resolv import read_behind_resolved, read_host
from engine.state.db import transaction
from engine.state.locks import locked

if TYPE_CHECKING:
    import sqlite3
    from contextlib import AbstractContextManager

    from engine.network.spec import NetworkSpec

_LOCK = "/run/lock/buoy-subnets"  # of the machine: engines with other roots choose too


def subnet_lock() -> AbstractContextManager[None]:
    """For who creates networks. Engines of other roots look at the same routes."""
    os.makedirs(os.path.dirname(_LOCK), exist_ok=True)
    return locked(_LOCK)


def record_network(database: sqlite3.Connection, kernel_name: str, spec: NetworkSpec) -> str:
    """Choose id, device and subnets, and record them; the id. The caller holds the lock.

    kernel_name   of the engine (state.paths.Roots)

    Raises NetworkProblem: name-invalid, network-exists, and those of `ipam.choose_pools`.
    """
    if not spec.name or " " in spec.name or not spec.name.isprintable():
        raise NetworkProblem(
            f"`{spec.name}` cannot be the name of a network",
            hint="it has no blanks, and at least one character",
            code="name-invalid",
        )
    is_default = spec.name == BRIDGE
    network_id = default_id(kernel_name, BRIDGE) if is_default else records.new_id()
    device = get_driver(spec.driver).device_of(network_id, spec)
    site = ipam.ipv6_site(kernel_name)
    with transaction(database):
        if records.is_taken(database, spec.name):
            raise NetworkProblem(
                f"network with name {spec.name} already exists", code="network-exists"
            )
        others = [Obstacle(subnet, f"network {name}") for name, subnet in records.subnets(database)]
        candidates = default_candidates if is_default else None
        pools = ipam.choose_pools(spec, others, _host_obstacles, site, candidates)
        records.insert(database, network_id, spec, device, pools)
    return network_id


def _host_obstacles() -> list[Obstacle]:
    with RouteSocket() as host:
        routes = host.unicast_routes() + host.unicast_routes(socket.AF_INET6)
    return [
        *route_obstacles(routes),
        *server_obstacles(read_host().nameservers),
        *server_obstacles(read_behind_resolved().nameservers),
    ]
