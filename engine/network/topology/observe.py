"""What is there of networks: what is on record, beside what the kernel has of it."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from engine.kernel.nftexpressions import IPV4, IPV6, interface_name
from engine.kernel.rtnetlink import RouteSocket
from engine.network import names
from engine.network.drivers.bridge import is_filtered
from engine.network.drivers.driver import get_driver
from engine.network.drivers.macvlan import OPTION_MODE
from engine.network.exposure import leading_away, observe_ways
from engine.network.firewall import Firewall, headers_of
from engine.network.ruleset import OPENED, PAIRS, UNPROTECTED
from engine.network.topology.facts import (
    HOST,
    PLUGGED,
    SeenContainer,
    SeenEndpoint,
    SeenNetwork,
    SeenPort,
    Topology,
)
from engine.network.topology.reach import find_reaches
from engine.network.topology.routes import default_routes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from engine.containers.observed import Container, PublishedPort
    from engine.containers.spec import ContainerSpec
    from engine.kernel.rtnetlink import Link
    from engine.network.publication import Publication
    from engine.network.spec import Network
    from engine.network.topology.facts import Passing, State
    from engine.state.paths import Roots


def observe_topology(
    roots: Roots,
    networks: Sequence[Network],
    containers: Iterable[tuple[Container, ContainerSpec]],
) -> Topology:
    """All networks and containers of an engine, as they are now. Changes nothing."""
    with closing(Firewall(roots.kernel_name)) as firewall, RouteSocket() as host:
        return _Looking(roots, host, firewall, networks).topology(list(containers))


class _Looking:
    def __init__(
        self, roots: Roots, host: RouteSocket, firewall: Firewall, networks: Sequence[Network]
    ) -> None:
        self._firewall, self._networks = firewall, networks
        self._links = {link.name: link for link in host.links()}
        self._addresses = host.addresses()
        self._entries = {one.id: names.read(roots.network_run(one.id)) for one in networks}
        self._published: dict[str, list[Publication]] = {}
        for publication in firewall.publications():
            self._published.setdefault(publication.address, []).append(publication)

    def topology(self, containers: Sequence[tuple[Container, ContainerSpec]]) -> Topology:
        plugs = {one.device for found, _ in containers for one in found.plugged if found.pid}
        ids = {key: found.id for found, _ in containers for key in (found.name, found.id)}
        topology = Topology(
            hostname=os.uname().nodename,
            ways=observe_ways(),
            networks=(*map(self._network, self._networks), *map(self._plugged_into, sorted(plugs))),
            containers=tuple(self._container(found, spec, ids) for found, spec in containers),
        )
        return topology.replace(reaches=find_reaches(topology))

    def _network(self, network: Network) -> SeenNetwork:
        link = self._links.get(network.device)
        is_routed = get_driver(network.driver).ROUTED
        return SeenNetwork(
            id=network.id,
            name=network.name,
            driver=network.driver,
            device=network.device,
            state=_state_of(link),
            labels=network.labels,
            subnets=tuple(str(pool.subnet) for pool in network.pools),
            gateways=tuple(self._gateways(link)) if link and is_routed else (),
            routed=is_routed,
            internal=network.internal,
            icc=self._has_icc(network, is_routed=is_routed),
            unprotected=is_routed and self._holds(network, UNPROTECTED),
            known=not is_routed or self._firewall.has_network(network),
        )

    def _plugged_into(self, device: str) -> SeenNetwork:
        """What somebody plugged containers into, by hand: a network that we know nothing of."""
        return SeenNetwork(
            id="",
            name=_plug_name(device),
            driver=PLUGGED,
            device=device,
            state=_state_of(self._links.get(device)),
            labels={},
            subnets=(),
            gateways=(),
            routed=False,
            internal=device not in {link.name for link in leading_away([*self._links.values()])},
            icc=True,
            unprotected=False,
            known=True,
        )

    def _gateways(self, bridge: Link) -> Iterable[str]:
        """Its addresses; its link-local one the kernel has given it."""
        for address in self._addresses:
            if address.link == bridge.index and not address.text.startswith("fe80:"):
                yield f"{address.text}/{address.prefix_length}"

    def _has_icc(self, network: Network, *, is_routed: bool) -> bool:
        """As the kernel keeps it: by our rules where frames between ports pass them, else by the
        ports themselves."""
        if not is_routed:
            return network.options.get(OPTION_MODE) != "private"
        if is_filtered() and self._firewall.has_network(network):
            return self._holds(network, PAIRS)
        ports = [self._links.get(entry.link) for entry in self._entries[network.id]]
        return not any(port.isolated for port in ports if port) if ports else network.choices.icc

    def _holds(self, network: Network, name: str) -> bool:
        """Whether a set of the firewall has the network's device, or the pair of it and itself."""
        key = interface_name(network.device) * (2 if name == PAIRS else 1)
        netlink, table = self._firewall.netlink, self._firewall.table
        return any(netlink.has_element(table, name, key, h.family) for h in headers_of(network))

    def _container(
        self, found: Container, spec: ContainerSpec, ids: Mapping[str, str]
    ) -> SeenContainer:
        endpoints = self._endpoints(found, spec)
        routes = default_routes(found.pid) if found.pid else {}
        ways_in = [*self._ways_in(endpoints, routes)]
        shared = spec.network.partition("container:")[2]
        return SeenContainer(
            id=found.id,
            name=found.name,
            labels=found.labels,
            status=found.status,
            pid=found.pid,
            shares=HOST if spec.network == "host" else ids.get(shared, ""),
            endpoints=tuple(endpoints),
            ports=tuple(self._ports(found.ports, ways_in)),
            ways_out=tuple(dict.fromkeys(link for links in routes.values() for link in links)),
        )

    def _ways_in(
        self, endpoints: Iterable[SeenEndpoint], routes: Mapping[int, Collection[str]]
    ) -> Iterable[str]:
        """The addresses that published ports lead to: where the host routes, by default routes,
        and where the firewall leads (what was plugged in may have the default route)."""
        routed = {one.name for one in self._networks if get_driver(one.driver).ROUTED}
        for endpoint in endpoints:
            for text in endpoint.addresses if endpoint.network in routed else ():
                address, version = text.partition("/")[0], 6 if ":" in text else 4
                if endpoint.interface in routes[version] or address in self._published:
                    yield address

    def _endpoints(self, found: Container, spec: ContainerSpec) -> list[SeenEndpoint]:
        """Those that it has, or where it is not up those that it would have."""
        if found.pid is None:
            known = {one.name for one in self._networks}
            wished = [wish.network for wish in spec.endpoints if wish.network in known]
            return [SeenEndpoint(network=name) for name in wished]
        by_id = {network.id: network for network in self._networks}
        endpoints = []
        for place in found.attachments:
            network = by_id.get(place.network_id)
            if network is not None:
                link = self._link_of(found.id, network)
                endpoints.append(
                    SeenEndpoint(
                        network=network.name,
                        interface=place.interface,
                        addresses=place.addresses,
                        link=link,
                        state=self._state(link, network),
                    )
                )
        plugged = [
            SeenEndpoint(
                network=_plug_name(plug.device), interface=plug.interface, addresses=plug.addresses
            )
            for plug in found.plugged
        ]
        return endpoints + plugged

    def _link_of(self, container_id: str, network: Network) -> str:
        entries = self._entries[network.id]
        return next((one.link for one in entries if one.container_id == container_id), "")

    def _state(self, name: str, network: Network) -> State:
        if not name:
            return "up"
        link, bridge = self._links.get(name), self._links.get(network.device)
        state = _state_of(link)
        if link is not None and (bridge is None or link.master != bridge.index):
            return "unplugged"
        return state

    def _ports(self, bound: Iterable[PublishedPort], ways_in: Sequence[str]) -> Iterable[SeenPort]:
        found = [one for address in ways_in for one in self._published.get(address, ())]
        translated = {(one.protocol, one.host_ip, one.published) for one in found}
        for port in bound:
            way: Passing = "missing"
            if (port.protocol, port.host_ip, port.published) in translated:
                way = "translated"
            elif _is_relayed(port, ways_in):
                way = "relayed"
            yield SeenPort(**port.values(), way=way)
        for one in found:
            if one.map == OPENED:
                yield SeenPort(
                    host_ip=one.host_ip,
                    published=one.published,
                    target=one.target,
                    protocol=one.protocol,
                    way="opened",
                )


def _plug_name(device: str) -> str:
    return f"host:{device}"


def _state_of(link: Link | None) -> State:
    if link is None:
        return "missing"
    return "up" if link.up else "down"


def _is_relayed(port: PublishedPort, ways_in: Iterable[str]) -> bool:
    """What the kernel does not translate: [::1], and from one IP version to the other."""
    header = IPV6 if ":" in port.host_ip else IPV4
    families = {IPV6 if ":" in address else IPV4 for address in ways_in}
    return port.host_ip == "::1" or header not in families
