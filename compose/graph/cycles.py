"""Circles in the graph of a project, named with the places in the file that close them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx

from compose.errors import DependencyCycle, raise_all

if TYPE_CHECKING:
    from compose.graph.dependencies import Rank
    from compose.model.dependencies import Edge
    from compose.model.project import Project

_SENTENCES = {
    "service": "services depend on each other in a circle",
    "image": "builds start from each other in a circle",
}


def refuse_cycles(project: Project, graph: networkx.DiGraph[Rank]) -> None:
    """Raise a DependencyCycle for each group of services, or of images, that need each other.

    graph   from what is needed to what needs it, each with its `edge`
    """
    if networkx.is_directed_acyclic_graph(graph):
        return
    # replicas are in no circle without their services
    links = graph.edge_subgraph(ends for ends in graph.edges if ends[0][0] == ends[1][0])
    groups = sorted(map(sorted, networkx.strongly_connected_components(links)))
    cycles = [_cycle(links, group) for group in groups if _is_cyclic(links, group)]
    raise_all([_problem(project, cycle) for cycle in cycles])


def _is_cyclic(graph: networkx.DiGraph[Rank], group: list[Rank]) -> bool:
    return len(group) > 1 or graph.has_edge(group[0], group[0])


def _cycle(graph: networkx.DiGraph[Rank], group: list[Rank]) -> list[Edge]:
    """Edges of which each leads to where the next begins, the last to the first."""
    found = networkx.find_cycle(graph.subgraph(group), group[0])
    # edges of networkx point to what comes later: read backwards, they say "needs"
    return [graph.edges[pair]["edge"] for pair in reversed(found)]


def _problem(project: Project, cycle: list[Edge]) -> DependencyCycle:
    steps = [_step(project, edge) for edge in cycle]
    names = [steps[0][0], *(needed for _, needed, _ in steps)]
    return DependencyCycle(
        f"{_SENTENCES[cycle[0].needing.kind]}: {' -> '.join(names)}",
        where=steps[0][2],
        hint="; ".join(f"{needing} needs {needed} at {where}" for needing, needed, where in steps),
    )


def _step(project: Project, edge: Edge) -> tuple[str, str, str | None]:
    """Two services, and where it is written that one of them needs the other."""
    needing, needed = edge.needing.name, edge.needed.name
    if edge.needing.kind == "service":
        return needing, needed, project.where(f"services.{needing}.{edge.key}.{needed}")
    images = {one.image_name: name for name, one in project.services.items() if one.build}
    needing, needed = images[needing], images[needed]
    return needing, needed, project.where(f"services.{needing}.build.additional_contexts")
