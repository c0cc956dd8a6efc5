"""Subnets of networks (engine.md B2).

One is chosen so that it meets nothing that the host can reach: no route, no resolver, no other
network.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from engine.errors import NetworkProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.kernel.rtnetlink import Route
    from engine.network.spec import NetworkSpec

# 172.17.0.0/16 is left to the default bridge network (docker0)
_POOLS = (
    (IPv4Network("172.18.0.0/16"), 16),
    (IPv4Network("172.19.0.0/16"), 16),
    (IPv4Network("172.20.0.0/14"), 16),
    (IPv4Network("172.24.0.0/14"), 16),
    (IPv4Network("172.28.0.0/14"), 16),
    (IPv4Network("192.168.0.0/16"), 20),
)
_SPLIT_DEFAULT = 1  # 0.0.0.0/1 and 128.0.0.0/1: a VPN's way to say default route


class Obstacle:
    """A range that is in use, and by whom."""

    __slots__ = ("range", "user", "yields")

    def __init__(self, taken: IPv4Network, user: str, *, yields: bool = False) -> None:
        self.range = taken
        self.user = user
        self.yields = yields  # a route through a gateway: avoided, but only while there is room


def route_obstacles(routes: Iterable[Route], link_names: dict[int, str]) -> list[Obstacle]:
    """Every live route but default ones. Those to a gateway yield when all else is taken."""
    return [
        Obstacle(
            IPv4Network((route.destination, route.prefix_length)),
            f"a route of the host by {link_names.get(route.link, 'a gateway')}",
            yields=not route.on_link,
        )
        for route in routes
        if route.prefix_length > _SPLIT_DEFAULT
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Where the addresses of a network come from."""

    subnet: IPv4Network
    ip_range: IPv4Network | None
    gateway: IPv4Address


def choose_pool(
    spec: NetworkSpec, networks: Sequence[Obstacle], host: Callable[[], list[Obstacle]]
) -> Pool:
    """What a network is given.

    networks   subnets of the other networks: all that a subnet of the user's is checked against
    host       finds what else is in use; asked only when the subnet is ours to choose

    Raises NetworkProblem.
    """
    if spec.subnet is not None:
        subnet = check_subnet(spec.subnet, networks, name=spec.name)
    else:
        subnet = choose_subnet([*networks, *host()])
    ip_range = None
    if spec.ip_range is not None:
        ip_range = parse_range(spec.ip_range, what="ip_range", name=spec.name)
        if not ip_range.subnet_of(subnet):
            raise NetworkProblem(
                f"network {spec.name}: ip_range {ip_range} is not part of subnet {subnet}",
                code="subnet-invalid",
            )
    gateway = choose_gateway(spec.gateway, subnet, ip_range, name=spec.name)
    return Pool(subnet=subnet, ip_range=ip_range, gateway=gateway)


def choose_subnet(obstacles: Sequence[Obstacle]) -> IPv4Network:
    """The first subnet of the pools that meets no obstacle.

    Raises NetworkProblem `subnets-exhausted`, which names who uses what.
    """
    firm = [obstacle for obstacle in obstacles if not obstacle.yields]
    for avoided in (obstacles, firm):
        for pool, prefix_length in _POOLS:
            for subnet in pool.subnets(new_prefix=prefix_length):
                if not any(subnet.overlaps(obstacle.range) for obstacle in avoided):
                    return subnet
    pools = [pool for pool, _ in _POOLS]
    met = [o for o in firm if any(o.range.overlaps(pool) for pool in pools)]
    used = ", ".join(f"{o.range} by {o.user}" for o in met)
    raise NetworkProblem(
        f"all predefined address pools have been fully subnetted: {used}",
        hint="give the network a subnet of its own, or remove networks that are not used",
        code="subnets-exhausted",
    )


def check_subnet(wanted: str, obstacles: Iterable[Obstacle], *, name: str) -> IPv4Network:
    """A subnet that the user gave. Raises NetworkProblem when it is none or meets an obstacle."""
    subnet = parse_range(wanted, what="subnet", name=name)
    if subnet.prefixlen > 30:
        raise NetworkProblem(
            f"network {name}: subnet {wanted} has no room for a gateway and a container",
            hint="a /29 has room for five containers",
            code="subnet-invalid",
        )
    for obstacle in obstacles:
        if subnet.overlaps(obstacle.range):
            raise NetworkProblem(
                f"network {name}: subnet {subnet} overlaps {obstacle.range},"
                f" used by {obstacle.user}",
                hint="choose another subnet, or leave it out to get a free one",
                code="subnet-taken",
            )
    return subnet


def parse_range(text: str, *, what: str, name: str) -> IPv4Network:
    """An IPv4 range as the user wrote it; host bits may be set. Raises NetworkProblem."""
    try:
        return IPv4Network(text, strict=False)
    except ValueError as error:
        raise NetworkProblem(
            f"network {name}: {what} `{text}` is not an IPv4 range: {error}", code="subnet-invalid"
        ) from None


def choose_gateway(
    wanted: str | None, subnet: IPv4Network, ip_range: IPv4Network | None, *, name: str
) -> IPv4Address:
    """The address of the bridge. Raises NetworkProblem when it is not in the subnet."""
    if wanted is None:
        first = ip_range.network_address if ip_range else subnet.network_address
        return first if first != subnet.network_address else first + 1
    try:
        gateway = IPv4Address(wanted)
    except ValueError:
        gateway = None
    if gateway is None or not is_host_address(gateway, subnet):
        raise NetworkProblem(
            f"network {name}: gateway `{wanted}` is not an address of {subnet}",
            code="gateway-invalid",
        )
    return gateway


def server_obstacles(servers: Iterable[str]) -> list[Obstacle]:
    """Resolvers as obstacles; those of IPv6 meet nothing of ours."""
    found = []
    for server in servers:
        try:
            address = ipaddress.ip_address(server)
        except ValueError:
            continue
        if address.version == 4:
            found.append(Obstacle(IPv4Network(f"{address}/32"), "a name server of the host"))
    return found


def is_host_address(address: IPv4Address, subnet: IPv4Network) -> bool:
    """Whether an endpoint may have it: not the network's own address, nor broadcast."""
    ends = (subnet.network_address, subnet.broadcast_address)
    return address in subnet and address not in ends
