"""Who reaches whom, by the facts that the firewall is made of.

Containers that share a namespace reach what its owner does: they are not listed.
"""

from __future__ import annotations

from engine.network.topology.facts import HOST, OUTSIDE, Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.network.topology.facts import (
        SeenContainer,
        SeenEndpoint,
        SeenNetwork,
        SeenPort,
        Topology,
    )


def find_reaches(topology: Topology) -> tuple[Reach, ...]:
    """Each way once: of several networks all, of ports those that no network makes needless."""
    return tuple(_Reaching(topology).all())


class _Reaching:
    def __init__(self, topology: Topology) -> None:
        known = {network.name: network for network in topology.networks}
        self._own = [one for one in topology.containers if one.is_up and not one.shares]
        # as far as the kernel has what joins them
        self._networks = {
            one.id: [known[e.network] for e in one.endpoints if _is_joined(e, known[e.network])]
            for one in self._own
        }
        self._outward = {one.id: [*self._leading_out(one)] for one in self._own}

    def all(self) -> Iterator[Reach]:
        for source in self._own:
            for target in self._own:
                if source is not target:
                    yield from self._between(source, target)
            for network in self._networks[source.id]:
                if network.routed and network.gateways:
                    yield Reach(source=source.id, target=HOST, network=network.name)
            for network in self._outward[source.id]:
                yield Reach(source=source.id, target=OUTSIDE, network=network.name)
        for target in self._own:
            yield from self._from_host(target)
            yield from self._from_outside(target)

    def _between(self, source: SeenContainer, target: SeenContainer) -> Iterator[Reach]:
        own = {network.name for network in self._networks[source.id]}
        by_host = any(network.routed for network in self._outward[source.id])
        usable = [
            network
            for network in self._networks[target.id]
            if (network.icc and network.name in own) or (by_host and network.unprotected)
        ]
        for network in usable:
            yield Reach(source=source.id, target=target.id, network=network.name)
        if by_host and not usable:
            for port in _far_ports(target):
                yield Reach(source=source.id, target=target.id, port=port)

    def _from_host(self, target: SeenContainer) -> Iterator[Reach]:
        networks = [one for one in self._networks[target.id] if one.routed and one.gateways]
        for network in networks:
            yield Reach(source=HOST, target=target.id, network=network.name)
        if not networks:
            for port in target.ports:
                if port.way != "missing":
                    yield Reach(source=HOST, target=target.id, port=port)

    def _from_outside(self, target: SeenContainer) -> Iterator[Reach]:
        for network in self._networks[target.id]:
            if network.unprotected or not (network.routed or network.internal):
                yield Reach(source=OUTSIDE, target=target.id, network=network.name)
        for port in _far_ports(target):
            yield Reach(source=OUTSIDE, target=target.id, port=port)

    def _leading_out(self, source: SeenContainer) -> Iterator[SeenNetwork]:
        """The networks by which it has a default route."""
        names = {one.network for one in source.endpoints if one.interface in source.ways_out}
        for network in self._networks[source.id]:
            if network.name in names and not network.internal:
                yield network


def _is_joined(endpoint: SeenEndpoint, network: SeenNetwork) -> bool:
    return endpoint.state == network.state == "up" and bool(endpoint.addresses)


def _far_ports(container: SeenContainer) -> list[SeenPort]:
    return [port for port in container.ports if not port.is_local and port.way != "missing"]
