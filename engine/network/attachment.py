"""From a container's wish for networks to the `network` section of its launch record."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import NetworkProblem
from engine.network.bindings import described_ports
from engine.network.defaults import BRIDGE, linked_lines
from engine.network.drivers.driver import file_of, get_driver
from engine.network.hosts import has_ipv6_loopback, host_names
from engine.network.options import read_endpoint_options
from engine.network.plugs.record import possible_ways, taken_ways
from engine.network.resolv import read_host, sets_ndots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from engine.containers.spec import ContainerSpec, EndpointSpec
    from engine.network.claims import Claims
    from engine.network.spec import Network, Pool
    from engine.state.paths import Roots


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One endpoint with the addresses it has got."""

    wish: EndpointSpec
    network: Network
    addresses: tuple[str, ...]  # one of each pool
    mac_address: str
    interface: str

    def has_way_out(self, family: int) -> bool:
        """Whether packets of that family (4 or 6) can leave the host by it."""
        return self.network.pool(family) is not None and not self.network.internal


class Plan:
    """The endpoints of one container, taking shape.

    held   the names of interfaces that it has, by network id
    """

    def __init__(
        self,
        roots: Roots,
        container_id: str,
        name: str,
        hostname: str,
        spec: ContainerSpec,
        held: Mapping[str, str],
    ) -> None:
        self._roots = roots
        self._container_id = container_id
        self._name = name
        self._hostname = hostname
        self._spec = spec
        self._held = held
        self._interfaces: list[str] = []

    def claim(
        self, wish: EndpointSpec, network: Network, claims_of: Callable[[Network, Pool], Claims]
    ) -> Claimed:
        """Claim its addresses on one network. eth0, eth1, ... follow the order of the calls."""
        interface = self._interface(wish, network)
        owner = self._spec.address_owner or self._container_id
        fixed = {4: wish.ipv4_address, 6: wish.ipv6_address}
        _check_families(wish, network)
        addresses, mac_address = [], wish.mac_address
        for pool in network.pools:
            address, mac_address = claims_of(network, pool).claim(
                self._container_id, owner, interface, fixed=fixed[pool.family], mac=mac_address
            )
            addresses.append(address)
        assert mac_address is not None, "a network has a pool"
        return Claimed(
            wish=wish,
            network=network,
            addresses=tuple(addresses),
            mac_address=mac_address,
            interface=interface,
        )

    def _interface(self, wish: EndpointSpec, network: Network) -> str:
        """As asked for, else the first number that is free behind the network's prefix."""
        if network.id in self._held:
            return self._held[network.id]
        prefix = network.choices.interface_prefix
        free = (f"{prefix}{number}" for number in itertools.count())
        asked = wish.interface or read_endpoint_options(network.name, wish.options).interface
        plugged = (plug.interface for plug in self._spec.plugs)
        taken = {*self._interfaces, *self._held.values(), *plugged}
        name = asked or next(name for name in free if name not in taken)
        if name in taken:
            raise NetworkProblem(
                f"network {network.name}: the container has an interface {name} already",
                code="interface-taken",
            )
        self._interfaces.append(name)
        return name

    def record(self, claimed: Sequence[Claimed], plugs: list[dict[str, Any]]) -> dict[str, Any]:
        """The section; JSON-able. `mode`: sandbox, none (loopback alone), joined or host.

        plugs  as in it (`plugs.record`)
        """
        ranked = sorted(claimed, key=_rank_key)
        ranks = {one.network.id: rank for rank, one in enumerate(ranked)}
        ways_out = _ways_out(ranked)
        options = self._spec.dns_options or read_host().options
        section: dict[str, Any] = {
            "mode": self._mode(claimed),
            "table": self._roots.kernel_name,
            "hostname": self._hostname,
            "domainname": self._spec.domainname,
            "extra_hosts": [list(pair) for pair in self._spec.extra_hosts],
            "ipv6_loopback": has_ipv6_loopback(self._spec.sysctls),
            "endpoints": [self._endpoint(one, ranks[one.network.id], ways_out) for one in claimed],
            "plugs": plugs,
            "ports": described_ports(self._spec.ports, _ways_in(claimed, ways_out)),
        }
        bridge = next((one for one in claimed if one.network.name == BRIDGE), None)
        section["linked"] = self._linked(bridge) if bridge else []
        section["dns"] = {
            "embedded": len(claimed) > bool(bridge) or not bridge,
            "servers": list(self._spec.dns),
            "host": bool(ways_out),
            "ndots_given": sets_ndots(options),
            "hosts": host_names(section),
        }
        return section

    def _linked(self, bridge: Claimed) -> list[str]:
        """Its links on the default network: lines of /etc/hosts."""
        directory = self._roots.network_run(bridge.network.id)
        return linked_lines(directory, bridge.wish.links, container=self._name)

    def _mode(self, claimed: Sequence[Claimed]) -> str:
        if self._spec.network == "host":
            return "host"
        if self._spec.network.startswith("container:"):
            return "joined"
        return "sandbox" if claimed or self._spec.network == "networks" else "none"

    def _endpoint(self, one: Claimed, rank: int, ways_out: Mapping[int, str]) -> dict[str, Any]:
        """`rank`: the order of name lookups; ways_out: which network has the default route, where
        nothing that was plugged in takes it."""
        network = one.network
        is_routed = get_driver(network.driver).ROUTED
        leading = {family for family, found in ways_out.items() if found == network.id}
        plugs = self._spec.plugs
        return {
            "network_id": network.id,
            "network": network.name,
            "directory": self._roots.network_run(network.id),
            "driver": network.driver,
            "driver_file": file_of(network.driver),
            "device": network.device,
            "options": dict(network.options),
            "interface": one.interface,
            "addresses": [
                {
                    "address": address,
                    "prefix_length": pool.subnet.prefixlen,
                    "gateway": str(pool.gateway),
                    "default_route": pool.family in leading - taken_ways(plugs),
                    "source_routed": pool.family in leading & possible_ways(plugs),
                    "gateway_is_host": is_routed and pool.family not in network.choices.inhibited,
                }
                for address, pool in zip(one.addresses, network.pools, strict=True)
            ],
            "mac_address": one.mac_address,
            "mtu": network.choices.mtu,
            "internal": network.internal,
            "isolated": not network.choices.icc,
            "link_local": list(one.wish.link_local),
            "sysctls": read_endpoint_options(network.name, one.wish.options).sysctls,
            "routed": is_routed,
            "rank": rank,
            "names": self._names(one.wish),
            "links": [list(link) for link in one.wish.links],
        }

    def _names(self, wish: EndpointSpec) -> list[str]:
        """In the order of engine.md B6.2, each once. The names table separates them by blanks."""
        given = [self._name, *wish.aliases, self._container_id[:12], self._hostname]
        for name in given:
            if any(character.isspace() for character in name):
                raise NetworkProblem(
                    f"container {self._name}: {name!r} cannot be a name on network {wish.network}",
                    hint="an alias or hostname has no blanks",
                    code="name-invalid",
                )
        return list(dict.fromkeys(name for name in given if name))


def in_connect_order(spec: ContainerSpec) -> list[EndpointSpec]:
    """The endpoints by falling priority, ties by name; none but in mode `networks`."""
    if spec.network != "networks":
        return []
    return sorted(spec.endpoints, key=lambda wish: (-wish.priority, wish.network))


def _rank_key(one: Claimed) -> tuple[int, bool, bool, str]:
    """Who comes first, for the default route too (engine.md B3.1)."""
    single = len(one.network.pools) < 2
    return -one.wish.gw_priority, one.network.internal, single, one.network.name


def _ways_out(ranked: Sequence[Claimed]) -> dict[int, str]:
    """For each family that can leave the host: the id of the network with its default route."""
    found = {}
    for family in (4, 6):
        first = next((one for one in ranked if one.has_way_out(family)), None)
        if first is not None:
            found[family] = first.network.id
    return found


def _ways_in(claimed: Sequence[Claimed], ways_out: Mapping[int, str]) -> dict[int, Network]:
    """Where published ports lead to, by IP version: where the default routes are, if the host is
    the router there."""
    networks = {one.network.id: one.network for one in claimed}
    found = {family: networks[network_id] for family, network_id in ways_out.items()}
    return {
        family: network for family, network in found.items() if get_driver(network.driver).ROUTED
    }


def why_unpublished(name: str, claimed: Sequence[Claimed]) -> list[str]:
    """For a container with ports to publish and no way in, in plain words."""
    if not claimed:
        return []
    others = [one for one in claimed if not get_driver(one.network.driver).ROUTED]
    if not others:
        names = ", ".join(one.network.name for one in claimed)
        return [f"the ports of {name} are not published: network {names} is internal"]
    first = others[0]
    return [
        f"the ports of {name} are not published: on network {first.network.name} "
        f"({first.network.driver}) it is reached at its own address, {first.addresses[0]}"
    ]


def _check_families(wish: EndpointSpec, network: Network) -> None:
    for family, fixed in ((4, wish.ipv4_address), (6, wish.ipv6_address)):
        if fixed is not None and network.pool(family) is None:
            raise NetworkProblem(
                f"network {network.name}: {fixed} was asked for, and it has no IPv{family}",
                hint="enable_ipv6: true gives it IPv6" if family == 6 else None,
                code="address-invalid",
            )
