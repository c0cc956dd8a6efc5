"""Which services a command is about (compose-file.md 16)."""

from __future__ import annotations

from compose.errors import UnknownService, nearest, raise_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from compose.model.dependencies import Dependencies, Node
    from compose.model.files import FileReference
    from compose.model.project import Project
    from compose.model.service import Service


def only(project: Project, names: Iterable[str], *, dependencies: bool = True) -> Project:
    """The project reduced to the named services and, with `dependencies`, all that they need.

    No names: the project as it is. Networks and volumes that nothing uses any more go too. The
    services must be enabled: `LoadOptions.services` enables those named on a command line.
    Raises UnknownService, for each name.
    """
    named = list(dict.fromkeys(names))
    if not named:
        return project
    raise_all([_unknown(project, name) for name in named if name not in project.services])
    kept = set(needed_by(project, named) if dependencies else named)
    services = {name: one for name, one in project.services.items() if name in kept}
    return without_unused(project.replace(services=services))


def matching(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Names with the patterns among them, as `web*`, replaced by those that they match, sorted.

    What matches none stays as it is: it is the name of no service.
    """
    found: list[str] = []
    for name in names:
        if any(character in name for character in "*?["):
            from fnmatch import fnmatchcase

            pattern = name.replace("[^", "[!")
            found += sorted(one for one in known if fnmatchcase(one, pattern)) or [name]
        else:
            found.append(name)
    return list(dict.fromkeys(found))


def needed_by(project: Project, names: Iterable[str]) -> tuple[str, ...]:
    """The named services and all that they need, directly or not."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in project.services and name not in found:
            found[name] = None
            waiting += project.services[name].depends_on
    return tuple(sorted(found))


def _unknown(project: Project, name: str) -> UnknownService:
    known = {*project.services, *project.disabled}
    return UnknownService(f"there is no service `{name}`", hint=nearest(name, known))


def without_unused(project: Project) -> Project:
    """The project without parts of the graph that no service uses, and without such resources
    unless all are wanted."""
    project = project.replace(dependencies=_reduced(project.dependencies, project.services))
    return project if project.all_resources else _without_unused_resources(project)


def _without_unused_resources(project: Project) -> Project:
    services = project.services.values()
    networks = {key for service in services for key in service.networks}
    volumes = {
        mount.source for service in services for mount in service.mounts if mount.type == "volume"
    }
    secrets = {one.source for service in services for one in _secrets(service)}
    configs = {one.source for service in services for one in service.configs}
    models = {key for service in services for key in service.models}
    return project.replace(
        networks={key: one for key, one in project.networks.items() if key in networks},
        volumes={key: one for key, one in project.volumes.items() if key in volumes},
        secrets={key: one for key, one in project.secrets.items() if key in secrets},
        configs={key: one for key, one in project.configs.items() if key in configs},
        models={key: one for key, one in project.models.items() if key in models},
    )


def _reduced(graph: Dependencies, services: Collection[str]) -> Dependencies:
    """The graph of these services alone, and of what they use."""
    needs: dict[Node, list[Node]] = {}
    for edge in graph.edges:
        needs.setdefault(edge.needing, []).append(edge.needed)
    kept: set[Node] = set()
    waiting = [node for node in graph.nodes if node.is_service and node.name in services]
    while waiting:
        node = waiting.pop()
        if node not in kept and (not node.is_service or node.name in services):
            kept.add(node)
            waiting += needs.get(node, ())
    return graph.replace(
        nodes=tuple(node for node in graph.nodes if node in kept),
        edges=tuple(e for e in graph.edges if e.needing in kept and e.needed in kept),
    )


def _secrets(service: Service) -> tuple[FileReference, ...]:
    """Those of its containers and of its build."""
    return (*service.secrets, *(service.build.secrets if service.build else ()))
