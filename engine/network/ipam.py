"""Subnets of networks (engine.md B2).

One is chosen so that it meets nothing that the host can reach: no route, no resolver, no other
network. Those of the user are checked against the other networks alone.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING

from engine.errors import NetworkProblem
from engine.network.obstacles import choose_subnet
from engine.network.spec import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from engine.network.obstacles import Obstacle
    from engine.network.spec import Address, NetworkSpec, PoolSpec, Range

# Docker's, as long as there are any, and then Podman's in its smaller pieces, for 10,000 more.
# 172.17.0.0/16 is left to the default bridge network (docker0).
_POOLS = (
    (IPv4Network("172.18.0.0/16"), 16),
    (IPv4Network("172.19.0.0/16"), 16),
    (IPv4Network("172.20.0.0/14"), 16),
    (IPv4Network("172.24.0.0/14"), 16),
    (IPv4Network("172.28.0.0/14"), 16),
    (IPv4Network("192.168.0.0/16"), 20),
    (IPv4Network("10.89.0.0/16"), 24),
    (IPv4Network("10.90.0.0/15"), 24),
    (IPv4Network("10.92.0.0/14"), 24),
    (IPv4Network("10.96.0.0/11"), 24),
)
_MACHINE_ID = "/etc/machine-id"
_LONGEST_PREFIX = {4: 30, 6: 126}


def ipv6_site(owner: str) -> IPv6Network:
    """The unique local /48 of an engine (RFC 4193): 40 bits that follow from machine and owner.

    owner   what tells the engines of one machine apart
    """
    try:
        with open(_MACHINE_ID, encoding="ascii") as file:
            machine = file.read()
    except FileNotFoundError:
        machine = os.uname().nodename
    site = hashlib.sha256(f"{machine} {owner}".encode()).digest()[:5]
    return IPv6Network((b"\xfd" + site + bytes(10), 48))


def choose_pools(
    spec: NetworkSpec,
    networks: Sequence[Obstacle],
    host: Callable[[], list[Obstacle]],
    site: IPv6Network,
    ipv4: Callable[[], Iterable[IPv4Network]] | None = None,
) -> tuple[Pool, ...]:
    """What a network is given: a pool for each of its families, IPv4 first.

    networks   subnets of the other networks: all that a subnet of the user's is checked against
    host       finds what else is in use; asked only when a subnet is ours to choose
    site       the /48 that IPv6 subnets are chosen from
    ipv4       what IPv4 subnets are chosen from, best first; None: `ipv4_candidates`

    Raises NetworkProblem.
    """
    families = [family for family, wanted in ((4, spec.ipv4), (6, spec.ipv6)) if wanted]
    if not families:
        raise NetworkProblem(
            f"network {spec.name}: neither IPv4 nor IPv6 is enabled", code="family-missing"
        )
    given = _by_family(spec)
    pools = []
    for family in families:
        if family in given:
            pools.append(_given_pool(given[family], networks, name=spec.name))
        else:
            of_ipv4 = ipv4 or ipv4_candidates
            candidates = of_ipv4() if family == 4 else site.subnets(new_prefix=64)
            subnet = choose_subnet([*networks, *host()], candidates)
            gateway = choose_gateway(None, subnet, None, name=spec.name)
            pools.append(Pool(subnet=subnet, is_given=False, ip_range=None, gateway=gateway))
    return tuple(pools)


def _by_family(spec: NetworkSpec) -> dict[int, PoolSpec]:
    found: dict[int, PoolSpec] = {}
    for pool in spec.pools:
        family = parse_range(pool.subnet, what="subnet", name=spec.name).version
        if family in found:
            raise NetworkProblem(
                f"network {spec.name}: {found[family].subnet} and {pool.subnet} are both "
                f"IPv{family}",
                hint="a network has one subnet of each family",
                code="subnet-invalid",
            )
        found[family] = pool
    return found


def _given_pool(wish: PoolSpec, networks: Sequence[Obstacle], *, name: str) -> Pool:
    subnet = check_subnet(wish.subnet, networks, name=name)
    ip_range = None
    if wish.ip_range is not None:
        ip_range = parse_range(wish.ip_range, what="ip_range", name=name)
        if ip_range.version != subnet.version or not ip_range.subnet_of(subnet):  # type: ignore[arg-type]
            raise NetworkProblem(
                f"network {name}: ip_range {ip_range} is not part of subnet {subnet}",
                code="subnet-invalid",
            )
    reserved = {
        key: _address_in(text, subnet, what="aux address", name=name)
        for key, text in wish.reserved.items()
    }
    gateway = choose_gateway(wish.gateway, subnet, ip_range, name=name)
    _refuse_twice(gateway, reserved, name=name)
    return Pool(subnet=subnet, is_given=True, ip_range=ip_range, gateway=gateway, reserved=reserved)


def _refuse_twice(gateway: Address, reserved: Mapping[str, Address], *, name: str) -> None:
    users = {gateway: "the gateway"}
    for key, address in reserved.items():
        if address in users:
            raise NetworkProblem(
                f"network {name}: aux address {key} and {users[address]} are both {address}",
                hint="give each an address of its own",
                code="address-taken",
            )
        users[address] = f"aux address {key}"


def ipv4_candidates() -> Iterator[IPv4Network]:
    """The pools, cut into the subnets that networks get (engine.md B2.1)."""
    for pool, prefix_length in _POOLS:
        yield from pool.subnets(new_prefix=prefix_length)


def check_subnet(wanted: str, obstacles: Iterable[Obstacle], *, name: str) -> Range:
    """A subnet that the user gave. Raises NetworkProblem when it is none or meets an obstacle."""
    subnet = parse_range(wanted, what="subnet", name=name)
    if subnet.prefixlen > _LONGEST_PREFIX[subnet.version]:
        raise NetworkProblem(
            f"network {name}: subnet {wanted} has no room for a gateway and a container",
            hint="a /29 has room for five containers" if subnet.version == 4 else "use a /64",
            code="subnet-invalid",
        )
    first = subnet.network_address
    if first.is_multicast or first.is_loopback or first.is_unspecified:
        raise NetworkProblem(
            f"network {name}: subnet {wanted} has no addresses that a container could have",
            hint="choose one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fd00::/8",
            code="subnet-invalid",
        )
    for obstacle in obstacles:
        if obstacle.meets(subnet):
            raise NetworkProblem(
                f"network {name}: subnet {subnet} overlaps {obstacle.range},"
                f" used by {obstacle.user}",
                hint="choose another subnet, or leave it out to get a free one",
                code="subnet-taken",
            )
    return subnet


def parse_range(text: str, *, what: str, name: str) -> Range:
    """A range as the user wrote it; host bits may be set. Raises NetworkProblem."""
    try:
        return ipaddress.ip_network(text.replace("%", "%%"), strict=False)  # no scope
    except ValueError as error:
        raise NetworkProblem(
            f"network {name}: {what} `{text}` is not a range of addresses: {error}",
            code="subnet-invalid",
        ) from None


def choose_gateway(
    wanted: str | None, subnet: Range, ip_range: Range | None, *, name: str
) -> Address:
    """The address of the bridge. Raises NetworkProblem when it is not in the subnet."""
    if wanted is not None:
        return _address_in(wanted, subnet, what="gateway", name=name)
    first: Address = (ip_range or subnet).network_address
    return first if first != subnet.network_address else first + 1


def _address_in(text: str, subnet: Range, *, what: str, name: str) -> Address:
    address = parse_address(text)
    if address is None or not is_host_address(address, subnet):
        raise NetworkProblem(
            f"network {name}: {what} `{text}` is not an address of {subnet}",
            code=f"{what.split()[0]}-invalid",
        )
    return address


def parse_address(text: str) -> Address | None:
    """An address without a scope (`%eth0`), which those of containers do not have."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def is_host_address(address: Address, subnet: Range) -> bool:
    """Whether an endpoint may have it: not the network's own address, nor (IPv4) broadcast."""
    if address not in subnet or address == subnet.network_address:
        return False
    return address.version == 6 or address != subnet.broadcast_address
