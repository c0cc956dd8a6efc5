"""Saying from where the published ports of a project can be reached."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.commands.context import Context
    from compose.model import Project
    from compose.reconcile.observe import Observed


def say_exposure(
    context: Context, project: Project, observed: Observed, services: Iterable[str]
) -> None:
    """A line for each of the services that has published ports."""
    published = {
        name: [port for one in observed.of_service(name) for port in one.ports] for name in services
    }
    if context.console.progress in ("quiet", "none", "json") or not any(published.values()):
        return
    from compose.ui.exposure import exposure_lines
    from engine import observe_ways

    ways = observe_ways()
    for name, ports in published.items():
        spoken = {p.target: p.app_protocol for p in project.services[name].ports if p.app_protocol}
        for line in exposure_lines(name, ports, spoken, ways):
            context.console.status(f" {line}")
