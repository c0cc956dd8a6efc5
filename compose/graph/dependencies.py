"""The graph of a project: what needs what, and an order in which everything can be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.graph.edges import find_edges, node_of
from compose.model.dependencies import Dependencies, Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.model.dependencies import Edge
    from compose.model.project import Project

_KINDS = (
    *("network", "volume", "bind", "config", "secret", "model", "image"),
    *("replica", "service"),
)


def with_dependencies(project: Project) -> Project:
    """The project with its graph. Raises DependencyCycle."""
    return project.replace(dependencies=order(project))


def order(project: Project) -> Dependencies:
    """The graph of the enabled services. Raises DependencyCycle, one for each cycle."""
    edges = sorted(find_edges(project), key=_edge_rank)
    nodes = {node_of(name) for name in project.services}
    nodes |= {edge.needed for edge in edges}
    if any(_is_chained(edge) for edge in edges):
        ordered = _sorted(project, nodes, edges)
    else:  # nothing to order: networkx takes 135 ms to import
        ordered = sorted(nodes, key=_rank)
    return Dependencies(nodes=tuple(ordered), edges=tuple(edges))


def _is_chained(edge: Edge) -> bool:
    """Whether it joins two services or two images; the kinds of things say all other order."""
    return edge.needing.kind == edge.needed.kind


def _rank(node: Node) -> tuple[int, str, int]:
    """Where nothing else decides: what is cheap to make first, then by name."""
    return _KINDS.index(node.kind), node.name, node.number


def _edge_rank(edge: Edge) -> tuple[tuple[int, str, int], tuple[int, str, int]]:
    return _rank(edge.needing), _rank(edge.needed)


def _sorted(project: Project, nodes: Iterable[Node], edges: Iterable[Edge]) -> list[Node]:
    import networkx

    from compose.graph.cycles import refuse_cycles

    graph: networkx.DiGraph[Node] = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    for edge in edges:
        graph.add_edge(edge.needed, edge.needing, edge=edge)
    refuse_cycles(project, graph)
    return list(networkx.lexicographical_topological_sort(graph, key=_rank))
