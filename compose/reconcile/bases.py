"""Services whose images the builds of others start from."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.model import Project, Service


def bases_of(project: Project, service: Service) -> tuple[Service, ...]:
    """Those that a service's build names as `service:NAME`."""
    names = service.build.bases if service.build else ()
    return tuple(project.services[name] for name in names)


def with_bases(project: Project, services: Iterable[Service]) -> tuple[Service, ...]:
    """The services with all that their builds start from, each after those."""
    services = tuple(services)
    if not any(service.build and service.build.bases for service in services):
        return services
    from graphlib import TopologicalSorter

    needed: dict[str, tuple[str, ...]] = {}
    waiting = list(reversed(services))
    while waiting:
        service = waiting.pop()
        if service.name not in needed:
            bases = bases_of(project, service)
            needed[service.name] = tuple(base.name for base in bases)
            waiting += bases
    order = TopologicalSorter(needed).static_order()
    return tuple(project.services[name] for name in order)
