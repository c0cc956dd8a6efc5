"""The graph of a project: what needs what, and an order in which everything can be made."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from compose.errors import DependencyCycle, raise_all
from compose.model.dependencies import Dependencies, Edge, Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import networkx

    from compose.model.project import Project
    from compose.model.service import Service

_KINDS = ("network", "volume", "config", "secret", "model", "image", "replica", "service")


def with_dependencies(project: Project) -> Project:
    """The project with its graph. Raises DependencyCycle."""
    return project.replace(dependencies=order(project))


def order(project: Project) -> Dependencies:
    """The graph of the enabled services. Raises DependencyCycle, one for each cycle.

    A service counts as there when its replicas are; these need the service's image, networks and
    volumes and the services that it depends on.
    """
    nodes, edges = set(_nodes(project)), sorted(_edges(project), key=_edge_rank)
    if any(service.depends_on for service in project.services.values()):
        ordered = _sorted(project, nodes, edges)
    else:  # nothing to order: networkx takes 135 ms to import
        ordered = sorted(nodes, key=_rank)
    return Dependencies(nodes=tuple(ordered), edges=tuple(edges))


def _rank(node: Node) -> tuple[int, str, int]:
    """Where nothing else decides: what is cheap to make first, then by name."""
    return _KINDS.index(node.kind), node.name, node.number


def _edge_rank(edge: Edge) -> tuple[tuple[int, str, int], tuple[int, str, int]]:
    return _rank(edge.needing), _rank(edge.needed)


def _nodes(project: Project) -> Iterator[Node]:
    for service in project.services.values():
        yield Node(kind="service", name=service.name)
        yield from _replicas(service)
        yield from _resources(service)


def _replicas(service: Service) -> Iterator[Node]:
    for number in range(1, service.scale + 1):
        yield Node(kind="replica", name=service.name, number=number)


def _resources(service: Service) -> Iterator[Node]:
    if service.provider is None:
        yield Node(kind="image", name=service.image_name)
    for key in service.networks:
        yield Node(kind="network", name=key)
    for mount in service.mounts:
        if mount.type == "volume" and mount.source:
            yield Node(kind="volume", name=mount.source)
    for reference in service.configs:
        yield Node(kind="config", name=reference.source)
    for reference in service.secrets:
        yield Node(kind="secret", name=reference.source)
    for key in service.models:
        yield Node(kind="model", name=key)


def _edges(project: Project) -> Iterator[Edge]:
    for service in project.services.values():
        own = Node(kind="service", name=service.name)
        for replica in _replicas(service):
            yield Edge(needing=own, needed=replica)
            for resource in dict.fromkeys(_resources(service)):
                yield Edge(needing=replica, needed=resource)
        for name, dependency in service.depends_on.items():
            if name not in project.services:
                continue  # not required, and disabled
            for needing in (own, *_replicas(service)):
                yield Edge(
                    needing=needing,
                    needed=Node(kind="service", name=name),
                    condition=dependency.condition,
                    required=dependency.required,
                    restart=dependency.restart,
                )


def _sorted(project: Project, nodes: Iterable[Node], edges: Iterable[Edge]) -> list[Node]:
    import networkx

    graph: networkx.DiGraph[Node] = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    for edge in edges:
        graph.add_edge(edge.needed, edge.needing, condition=edge.condition)
    raise_all(list(_cycles(project, graph)))
    return list(networkx.lexicographical_topological_sort(graph, key=_rank))


def _cycles(project: Project, graph: networkx.DiGraph[Node]) -> Iterator[DependencyCycle]:
    """A problem for each group of services that need each other."""
    import networkx

    services = graph.subgraph([node for node in graph if node.kind == "service"])
    groups = list(networkx.strongly_connected_components(services))
    for group in sorted(groups, key=lambda group: min(map(_rank, group))):
        first = min(group, key=_rank)
        if len(group) > 1 or services.has_edge(first, first):
            found = networkx.find_cycle(services.subgraph(group), first)
            # edges of the graph point to what comes later: read backwards, they say "needs"
            names = [found[0][0].name, *(edge[0].name for edge in reversed(found))]
            yield _problem(project, names)


def _problem(project: Project, names: list[str]) -> DependencyCycle:
    steps = pairwise(names)
    places = [(needing, needed, _where(project, needing, needed)) for needing, needed in steps]
    return DependencyCycle(
        f"services depend on each other in a circle: {' -> '.join(names)}",
        where=places[0][2],
        hint="; ".join(f"{needing} needs {needed} at {where}" for needing, needed, where in places),
    )


def _where(project: Project, needing: str, needed: str) -> str | None:
    implied = project.services[needing].depends_on[needed].implied_by
    return project.where(f"services.{needing}.{implied or 'depends_on'}.{needed}")
