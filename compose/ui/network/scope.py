"""What of a host's networks a project has to do with."""

from __future__ import annotations

from compose.reconcile import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine import SeenContainer, Topology


def of_project(topology: Topology, project: str) -> Topology:
    """The networks that are the project's or that its containers are on, and who is on these."""
    own = [one for one in topology.containers if one.labels.get(names.PROJECT) == project]
    used = {endpoint.network for one in own for endpoint in one.endpoints}
    networks = [
        network
        for network in topology.networks
        if network.name in used or network.labels.get(names.PROJECT) == project
    ]
    shown = {network.name for network in networks}
    theirs = {one.id for one in own} | {one.shares for one in own}
    containers = [
        one for one in topology.containers if one.id in theirs or shown & _networks_of(one)
    ]
    kept = {"host", "outside", *(one.id for one in containers)}
    return topology.replace(
        networks=tuple(networks),
        containers=tuple(containers),
        reaches=tuple(r for r in topology.reaches if {r.source, r.target} <= kept),
    )


def shown_names(topology: Topology, project: str | None = None) -> dict[str, str]:
    """By container id: short for those of the project, as in `web-1`."""
    return {
        one.id: names.short_name(one.name, project)
        if project and one.labels.get(names.PROJECT) == project
        else one.name
        for one in topology.containers
    }


def _networks_of(container: SeenContainer) -> set[str]:
    return {endpoint.network for endpoint in container.endpoints}
