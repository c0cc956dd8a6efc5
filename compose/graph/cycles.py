"""Circles in the graph of a project, named with the places in the file that close them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx

from compose.errors import DependencyCycle, raise_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.dependencies import Edge, Node
    from compose.model.project import Project

_SENTENCES = {
    "service": "services depend on each other in a circle",
    "image": "builds start from each other in a circle",
}


def refuse_cycles(project: Project, graph: networkx.DiGraph[Node]) -> None:
    """Raise a DependencyCycle for each group of services, or of images, that need each other.

    graph   from what is needed to what needs it, each with its `edge`
    """
    raise_all([problem for kind in _SENTENCES for problem in _cycles(project, graph, kind)])


def _cycles(
    project: Project, graph: networkx.DiGraph[Node], kind: str
) -> Iterator[DependencyCycle]:
    nodes = graph.subgraph([node for node in graph if node.kind == kind])
    groups = [sorted(group, key=str) for group in networkx.strongly_connected_components(nodes)]
    for first, *others in sorted(groups, key=str):
        if others or nodes.has_edge(first, first):
            found = networkx.find_cycle(nodes.subgraph([first, *others]), first)
            # edges of networkx point to what comes later: read backwards, they say "needs"
            yield _problem(project, [nodes.edges[pair]["edge"] for pair in reversed(found)])


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
