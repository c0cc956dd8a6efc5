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
        self._networks = {network.name: network for network in topology.networks}
        self._own = [one for one in topology.containers if one.is_up and not one.shares]

    def all(self) -> Iterator[Reach]:
        for source in self._own:
            for target in self._own:
                if source is not target:
                    yield from self._between(source, target)
            for network in self._of(source):
                if network.routed and network.gateways:
                    yield Reach(source=source.id, target=HOST, network=network.name)
                if self._leads_out(source, network):
                    yield Reach(source=source.id, target=OUTSIDE, network=network.name)
        for target in self._own:
            yield from self._from_host(target)
            yield from self._from_outside(target)

    def _between(self, source: SeenContainer, target: SeenContainer) -> Iterator[Reach]:
        shared = [one for one in self._of(target) if one.icc and one in self._of(source)]
        leads_out = any(self._leads_out(source, one) for one in self._of(source) if one.routed)
        if leads_out:
            shared += [one for one in self._of(target) if one.unprotected and one not in shared]
        for network in shared:
            yield Reach(source=source.id, target=target.id, network=network.name)
        if leads_out and not shared:
            for port in _far_ports(target):
                yield Reach(source=source.id, target=target.id, port=port)

    def _from_host(self, target: SeenContainer) -> Iterator[Reach]:
        networks = [one for one in self._of(target) if one.routed and one.gateways]
        for network in networks:
            yield Reach(source=HOST, target=target.id, network=network.name)
        if not networks:
            for port in target.ports:
                if port.way != "missing":
                    yield Reach(source=HOST, target=target.id, port=port)

    def _from_outside(self, target: SeenContainer) -> Iterator[Reach]:
        for network in self._of(target):
            if network.unprotected or not (network.routed or network.internal):
                yield Reach(source=OUTSIDE, target=target.id, network=network.name)
        for port in _far_ports(target):
            yield Reach(source=OUTSIDE, target=target.id, port=port)

    def _of(self, container: SeenContainer) -> list[SeenNetwork]:
        """Its networks, as far as the kernel has what joins it to them."""
        found = [self._networks[one.network] for one in container.endpoints if _is_joined(one)]
        return [network for network in found if network.state == "up"]

    def _leads_out(self, source: SeenContainer, network: SeenNetwork) -> bool:
        endpoint = next(one for one in source.endpoints if one.network == network.name)
        return endpoint.interface in source.ways_out and not network.internal


def _is_joined(endpoint: SeenEndpoint) -> bool:
    return endpoint.state == "up" and bool(endpoint.addresses)


def _far_ports(container: SeenContainer) -> list[SeenPort]:
    return [port for port in container.ports if not port.is_local and port.way != "missing"]
