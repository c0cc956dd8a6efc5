"""Where a trace begins and ends: namespaces, and the address that is sent to."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

from engine.errors import NetworkProblem
from engine.kernel.namespaces import open_own
from engine.kernel.rtnetlink import RouteSocket
from engine.network.exposure import leading_away
from engine.network.publication import ANY_ADDRESS, ANY_ADDRESS6
from engine.network.topology.facts import HOST, OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import ExitStack

    from engine.network.topology.facts import (
        SeenContainer,
        SeenEndpoint,
        SeenNetwork,
        SeenPort,
        Topology,
    )
    from engine.network.trace.facts import Question

_LOOPBACK = ("127.0.0.1", "::1")


class Ends:
    """The two ends of a trace, as the topology has them.

    source, target   the containers whose namespaces these are; None: the host's, or outside
    port             the published port that leads to the target, where it is reached by one
    source_name, target_name   as they are shown
    """

    def __init__(self, topology: Topology, question: Question, shown: Mapping[str, str]) -> None:
        self._topology = topology
        self.networks = {network.name: network for network in topology.networks}
        self.source = self.owner(question.source)
        self.port = self._published(question)
        self.target = self._behind(self.port) if self.port else self.owner(question.target)
        self.is_outside = question.target == OUTSIDE
        self.question = question
        self.source_name = shown.get(question.source, question.source)
        self.target_name = (
            shown[self.target.id]
            if self.port and self.target
            else shown.get(question.target, question.name or question.address or HOST)
        )
        for one in (self.source, self.target):
            if one is not None and not one.is_up:
                raise NetworkProblem(
                    f"{one.name} does not run ({one.status})",
                    hint="start it: what does not run has no network",
                    code="not-running",
                )

    def owner(self, key: str) -> SeenContainer | None:
        """Whose network namespace that container is in; None: the host's."""
        if key in (HOST, OUTSIDE):
            return None
        found = next(one for one in self._topology.containers if one.id == key)
        return self.owner(found.shares) if found.shares else found

    @property
    def is_one_place(self) -> bool:
        """Whether both are in the same namespace, and no port of the host lies between."""
        return self.source is self.target and not self.is_outside and self.port is None

    @property
    def arrival(self) -> str:
        """The place of the target; "": what is outside cannot be watched."""
        if self.target is None:
            return "" if self.is_outside else "host"
        return "source" if self.target is self.source else "target"

    def inner_links(self) -> list[str]:
        """The links of the host that lead to no other host: loopback, our bridges, and those of
        others that have only guests of this host."""
        with RouteSocket() as host:
            links = host.links()
        away = {link.name for link in leading_away(links)}
        inner = [link.name for link in links if link.kind == "bridge" and link.name not in away]
        return ["lo", *inner, *(one.device for one in self._topology.networks if one.routed)]

    def shared(self) -> list[SeenNetwork]:
        """The networks that both are on."""
        if self.source is None or self.target is None:
            return []
        theirs = {endpoint.network for endpoint in self.source.endpoints}
        return [self.networks[e.network] for e in self.target.endpoints if e.network in theirs]

    def addresses(self) -> Iterator[str]:
        """Those that the target can be sent to, the nearest first; none of what is outside."""
        if self.is_outside:
            return
        if self.port is not None:
            yield from self._of_port(self.port)
        elif self.is_one_place:
            yield from _LOOPBACK
        elif self.target is None:
            yield from self._of_host()
        else:
            yield from self.target_addresses()

    def target_addresses(self) -> Iterator[str]:
        """Those of the target itself, on shared networks first."""
        shared = {network.name for network in self.shared()}
        endpoints = self.target.endpoints if self.target is not None else ()
        for endpoint in sorted(endpoints, key=lambda one: one.network not in shared):
            yield from map(_bare, endpoint.addresses)

    def way_in(self) -> SeenNetwork | None:
        """The network of the target that published ports lead to."""
        for endpoint in self.target.endpoints if self.target is not None else ():
            network = self.networks[endpoint.network]
            if network.routed and self.target and endpoint.interface in self.target.ways_out:
                return network
        return None

    def endpoint_at(self, address: str) -> SeenEndpoint | None:
        """The target's place that has that address."""
        endpoints = self.target.endpoints if self.target else ()
        return next((e for e in endpoints if address in map(_bare, e.addresses)), None)

    def network_of(self, address: str) -> SeenNetwork | None:
        """The network whose subnet an address is in."""
        ip = ipaddress.ip_address(address)
        for network in self._topology.networks:
            if any(ip in ipaddress.ip_network(subnet) for subnet in network.subnets):
                return network
        return None

    def _of_port(self, port: SeenPort) -> Iterator[str]:
        if port.host_ip not in (ANY_ADDRESS, ANY_ADDRESS6):
            yield port.host_ip
        elif self.source is None:
            yield from _LOOPBACK
        else:
            yield from self._of_host()

    def _of_host(self) -> Iterator[str]:
        """Those that it has on the networks of the source, internal ones last: from these no port
        is reached."""
        assert self.source is not None
        networks = [self.networks[endpoint.network] for endpoint in self.source.endpoints]
        for network in sorted(networks, key=lambda one: one.internal):
            yield from map(_bare, network.gateways)

    def _published(self, question: Question) -> SeenPort | None:
        if question.target != HOST or not question.port:
            return None
        wanted = (question.port, question.protocol)
        found = [
            port
            for one in self._topology.containers
            for port in one.ports
            if (port.published, port.protocol) == wanted and port.way != "opened"
        ]
        version6 = question.version == 6 or ":" in question.address

        def distance(port: SeenPort) -> tuple[bool, bool]:
            return port.host_ip != question.address, (":" in port.host_ip) != version6

        return min(found, key=distance, default=None)

    def _behind(self, port: SeenPort) -> SeenContainer | None:
        return next(one for one in self._topology.containers if port in one.ports)


def opened_places(stack: ExitStack, ends: Ends) -> dict[str, int]:
    """Descriptors of the namespaces on the way, each once: source, host, target."""
    places: dict[str, int] = {}
    if ends.source is not None:
        places["source"] = _open(stack, ends.source)
    host = open_own("net")
    stack.callback(os.close, host)
    places["host"] = host
    if ends.target is not None and ends.target is not ends.source:
        places["target"] = _open(stack, ends.target)
    return places


def _open(stack: ExitStack, container: SeenContainer) -> int:
    try:
        opened = os.open(f"/proc/{container.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        raise NetworkProblem(f"{container.name} has just ended", code="not-running") from None
    stack.callback(os.close, opened)
    return opened


def _bare(address: str) -> str:
    return address.partition("/")[0]
