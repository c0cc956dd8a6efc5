"""From a container's wish for networks to the `network` section of its launch record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.containers.spec import Attachment, EndpointSpec
from engine.errors import NetworkProblem
from engine.network.firewall import ANY_ADDRESS
from engine.network.resolv import read_host, sets_ndots

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from typing import Any

    from engine.containers.spec import ContainerSpec, PortSpec
    from engine.network.claims import Claims
    from engine.network.spec import Network
    from engine.state.paths import Roots


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One endpoint with the address it has got."""

    wish: EndpointSpec
    network: Network
    address: str
    mac_address: str
    interface: str


class Plan:
    """The endpoints of one container, taking shape."""

    def __init__(
        self, roots: Roots, container_id: str, name: str, hostname: str, spec: ContainerSpec
    ) -> None:
        self._roots = roots
        self._container_id = container_id
        self._name = name
        self._hostname = hostname
        self._spec = spec
        self._interfaces = 0

    def claim(self, claims: Claims, wish: EndpointSpec, network: Network) -> Claimed:
        """Claim its address on one network. eth0, eth1, ... follow the order of the calls."""
        interface = f"eth{self._interfaces}"
        self._interfaces += 1
        address, mac_address = claims.claim(
            self._container_id,
            self._spec.address_owner or self._container_id,
            interface,
            fixed=wish.ipv4_address,
            mac=wish.mac_address,
        )
        return Claimed(
            wish=wish,
            network=network,
            address=address,
            mac_address=mac_address,
            interface=interface,
        )

    def record(self, claimed: Sequence[Claimed]) -> dict[str, Any]:
        """The section; JSON-able. `mode` is `sandbox`, `none` (loopback alone) or `host`."""
        ranks = {e.network.id: rank for rank, e in enumerate(sorted(claimed, key=_rank_key))}
        has_way_out = any(not one.network.internal for one in claimed)
        options = self._spec.dns_options or read_host().options
        return {
            "mode": self._mode(claimed),
            "table": self._roots.kernel_name,
            "hostname": self._hostname,
            "domainname": self._spec.domainname,
            "endpoints": [self._endpoint(one, ranks[one.network.id]) for one in claimed],
            "ports": [_port(p) for p in self._spec.ports] if has_way_out else [],
            "dns": {
                "servers": list(self._spec.dns),
                "host": has_way_out,
                "ndots_given": sets_ndots(options),
            },
        }

    def _mode(self, claimed: Sequence[Claimed]) -> str:
        if self._spec.network == "host":
            return "host"
        return "sandbox" if claimed else "none"

    def _endpoint(self, one: Claimed, rank: int) -> dict[str, Any]:
        """`rank`: the order of name lookups; 0 has the default route and the ports."""
        network = one.network
        return {
            "network_id": network.id,
            "network": network.name,
            "directory": self._roots.network_run(network.id),
            "bridge": network.bridge,
            "interface": one.interface,
            "address": one.address,
            "prefix_length": network.subnet.prefixlen,
            "gateway": str(network.gateway),
            "mac_address": one.mac_address,
            "mtu": network.mtu,
            "internal": network.internal,
            "rank": rank,
            "default_route": rank == 0 and not network.internal,
            "names": self._names(one.wish),
            "links": [list(link) for link in one.wish.links],
        }

    def _names(self, wish: EndpointSpec) -> list[str]:
        """In the order of engine.md B6.2, each once."""
        given = [self._name, *wish.aliases, self._container_id[:12], self._hostname]
        return list(dict.fromkeys(name for name in given if name))


def in_connect_order(spec: ContainerSpec) -> list[EndpointSpec]:
    """The endpoints by falling priority, ties by name; none but in mode `networks`."""
    if spec.network != "networks":
        return []
    return sorted(spec.endpoints, key=lambda wish: (-wish.priority, wish.network))


def attachment_of(row: sqlite3.Row, network: Network) -> Attachment:
    """An attachment from a row of `addresses` joined with its network."""
    return Attachment(
        network_id=network.id,
        network=network.name,
        address=row["address"],
        prefix_length=network.subnet.prefixlen,
        gateway=str(network.gateway),
        mac_address=row["mac_address"],
        interface=row["interface"],
    )


def _rank_key(one: Claimed) -> tuple[int, bool, str]:
    """Who gives the default route (engine.md B3.1)."""
    return -one.wish.gw_priority, one.network.internal, one.network.name


def _port(port: PortSpec) -> dict[str, Any]:
    if ":" in port.host_ip:
        raise NetworkProblem(
            f"port {port.target}: publishing on the IPv6 address {port.host_ip} is not built yet",
            hint="leave the address out, or give an IPv4 one",
            code="ipv6-unsupported",
        )
    return {
        "host_ip": port.host_ip or ANY_ADDRESS,
        "published": list(port.published) if port.published else None,
        "target": port.target,
        "protocol": port.protocol,
    }
