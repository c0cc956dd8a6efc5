"""Networks as boxes and arrows, for the drawings that are pictures."""

from __future__ import annotations

from compose.graph.drawing import Arrow, Box, Drawing
from compose.ui.network.words import device_text, global_ways, network_words, port_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine import SeenContainer, SeenEndpoint, SeenNetwork, Topology


def draw_networks(name: str, topology: Topology, shown: Mapping[str, str]) -> Drawing:
    """Outside, host, networks and containers from top to bottom. Dashed: what is missing, and
    published ports, which lead past the networks."""
    return _Picture(topology, shown).drawing(name)


class _Picture:
    def __init__(self, topology: Topology, shown: Mapping[str, str]) -> None:
        self._topology = topology
        addresses = [way.address for way in global_ways(topology)]
        self._outside = Box(kind="outside", name="outside")
        self._host = Box(kind="host", name=topology.hostname, note=", ".join(addresses))
        self._networks = {one.name: _network_box(one) for one in topology.networks}
        self._containers = {
            one.id: Box(kind="container", name=shown[one.id], note="" if one.is_up else one.status)
            for one in topology.containers
        }

    def drawing(self, name: str) -> Drawing:
        own = (*self._networks.values(), *self._containers.values())
        return Drawing(
            name=name,
            boxes=(self._outside, self._host, *own),
            arrows=(
                Arrow(needing=self._outside.key, needed=self._host.key),
                *map(self._to_network, self._topology.networks),
                *(arrow for one in self._topology.containers for arrow in self._to(one)),
            ),
        )

    def _to_network(self, network: SeenNetwork) -> Arrow:
        return Arrow(
            needing=self._host.key,
            needed=self._networks[network.name].key,
            label=", ".join(one.partition("/")[0] for one in network.gateways),
            optional=network.state == "missing",
        )

    def _to(self, container: SeenContainer) -> Iterator[Arrow]:
        box = self._containers[container.id]
        for endpoint in container.endpoints:
            if endpoint.network in self._networks:
                yield Arrow(
                    needing=self._networks[endpoint.network].key,
                    needed=box.key,
                    label=_place(endpoint),
                    optional=endpoint.state != "up" or not container.is_up,
                )
        if container.shares:
            owner = self._containers.get(container.shares, self._host)
            yield Arrow(needing=owner.key, needed=box.key, label="same namespace")
        for text in port_texts(port for port in container.ports if not port.is_local):
            yield Arrow(needing=self._outside.key, needed=box.key, label=text, optional=True)


def _network_box(network: SeenNetwork) -> Box:
    words = [device_text(network), *network.subnets, *network_words(network)]
    return Box(kind="network", name=network.name, note=", ".join(words))


def _place(endpoint: SeenEndpoint) -> str:
    addresses = [one.partition("/")[0] for one in endpoint.addresses]
    return ", ".join([*addresses, *([endpoint.state] if endpoint.state != "up" else [])])
