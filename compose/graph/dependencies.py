"""The graph of a project: what needs what, and an order in which everything can be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.graph.edges import find_edges, find_links, node_of
from compose.model.dependencies import Dependencies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.model.dependencies import Edge, Node
    from compose.model.project import Project

    Rank = tuple[int, str, int]  # a node, as it is sorted and quickly compared

_KINDS = (
    *("network", "volume", "bind", "config", "secret", "model", "image"),
    *("replica", "service"),
)


def with_dependencies(project: Project) -> Project:
    """The project with its graph. Raises DependencyCycle."""
    return project.replace(dependencies=order(project))


def refuse_circles(project: Project) -> None:
    """Raise as `order`, of which this is the part that does not need networkx."""
    from graphlib import CycleError, TopologicalSorter

    sorter: TopologicalSorter[Rank] = TopologicalSorter()
    for edge in find_links(project):
        sorter.add(_rank(edge.needing), _rank(edge.needed))
    try:
        sorter.prepare()
    except CycleError:
        order(project)


def order(project: Project) -> Dependencies:
    """The graph of the enabled services. Raises DependencyCycle, one for each cycle."""
    edges = [(_rank(edge.needing), _rank(edge.needed), edge) for edge in find_edges(project)]
    edges.sort(key=lambda ranked: ranked[:2])
    nodes = {_rank(node_of(name)): node_of(name) for name in project.services}
    nodes |= {rank: edge.needed for _, rank, edge in edges}
    if any(edge.is_link for _, _, edge in edges):
        ordered = _sorted(project, nodes, edges)
    else:  # nothing to order: networkx takes 135 ms to import
        ordered = sorted(nodes)
    return Dependencies(
        nodes=tuple(nodes[rank] for rank in ordered), edges=tuple(edge for _, _, edge in edges)
    )


def _rank(node: Node) -> Rank:
    """Where nothing else decides: what is cheap to make first, then by name."""
    return _KINDS.index(node.kind), node.name, node.number


def _sorted(
    project: Project, nodes: Iterable[Rank], edges: Iterable[tuple[Rank, Rank, Edge]]
) -> list[Rank]:
    import networkx

    from compose.graph.cycles import refuse_cycles

    graph: networkx.DiGraph[Rank] = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    for needing, needed, edge in edges:
        graph.add_edge(needed, needing, edge=edge)
    refuse_cycles(project, graph)
    return list(networkx.lexicographical_topological_sort(graph))
