"""Refusing what cannot be had, before anything is changed."""

from __future__ import annotations

from compose.errors import FileMissing, Limit, NotBuilt, NotInKernel, raise_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compose.errors import ProjectProblem
    from compose.model import Project, Service
    from compose.reconcile.files import Used


def check_built(project: Project, services: Iterable[Service]) -> None:
    """Raise, for all at once, where containers of `services` need what cannot be had.

    NotBuilt for what Compose has and Buoy has not, RequiredVariable for what is to be made of a
    variable that is not set, FileMissing for a file that is not there, NotInKernel.
    """
    wanted: set[tuple[str, ...]] = set()
    problems: list[ProjectProblem] = []
    if project.all_resources:
        wanted |= {("networks", key) for key in project.networks}
        wanted |= {("volumes", key) for key in project.volumes}
    for service in services:
        wanted |= {("services", service.name), *_used(service)}
        if service.secrets or service.configs:
            from compose.reconcile.files import used_files

            problems += _files(project, service, used_files(project, service))
        if any(port.protocol == "sctp" for port in service.ports):
            problems += _sctp_ports(project, service)
    raise_all([*_limits(project, wanted), *problems])


def _sctp_ports(project: Project, service: Service) -> Iterator[ProjectProblem]:
    from engine import has_sctp

    if has_sctp():
        return
    for index, port in enumerate(service.ports):
        if port.protocol == "sctp":
            path = f"services.{service.name}.ports[{index}]"
            yield NotInKernel(
                f"`{path}`: this kernel has no SCTP",
                where=project.where(path),
                hint="`modprobe sctp` where the module is only not there yet",
            )


def check_build_built(project: Project, service: Service) -> None:
    """The same for the build of a service."""
    problems: list[ProjectProblem] = []
    if service.build and service.build.secrets:
        from compose.reconcile.files import build_files

        problems += _files(project, service, build_files(project, service))
    raise_all([*_limits(project, {("services", service.name, "build")}), *problems])


def _files(project: Project, service: Service, used: Iterable[Used]) -> list[ProjectProblem]:
    """What there is not of what is used."""
    from compose.reconcile.files import missing_files, unset_variables

    uses = list(used)
    return [*missing_files(project, service, uses), *unset_variables(project, uses)]


def check_files(project: Project) -> None:
    """Raise FileMissing for files that the services of a project are read from, all at once."""
    wanted: set[tuple[str, ...]] = {("services", name) for name in project.services}
    raise_all([one for one in _limits(project, wanted) if isinstance(one, FileMissing)])


def _used(service: Service) -> set[tuple[str, ...]]:
    """Paths of the resources that a service uses."""
    volumes = [mount.source for mount in service.mounts if mount.type == "volume"]
    used = {
        "networks": service.networks,
        "volumes": volumes,
        "configs": [reference.source for reference in service.configs],
        "secrets": [reference.source for reference in service.secrets],
    }
    return {(section, key) for section, keys in used.items() for key in keys}


def _limits(project: Project, wanted: set[tuple[str, ...]]) -> Iterator[Limit]:
    for one in project.not_built:
        if one.path[:2] in wanted or one.path[:3] in wanted:
            kind = FileMissing if one.code == FileMissing.code else NotBuilt
            yield kind(one.what, where=one.where, hint=one.hint, path=one.path)
