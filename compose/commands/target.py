"""Which project a verb works on: by its file, or by labels alone where -p names it."""

from __future__ import annotations

from compose.errors import NoProjectFile, ProjectProblem, UnknownService, nearest
from compose.model.record import Record
from compose.reconcile import names
from compose.reconcile.observe import observe, observe_containers
from engine.errors import ContainerProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence

    from compose.commands.context import Context
    from compose.model import Project
    from compose.reconcile.observe import Observed
    from engine import Container


class NotRunning(ContainerProblem):
    """A command needs a running container, and there is none."""

    code = "not-running"


class NoSuchProject(ProjectProblem):
    """Nothing of the project that -p names exists."""

    code = "no-such-project"


class Target(Record):
    """A project's name, what exists of it, and its file where there is one."""

    name: str
    observed: Observed
    project: Project | None = None

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the services: of the file, and those that have containers."""
        defined = self.project.services if self.project else ()
        return tuple(dict.fromkeys((*defined, *self.observed.services())))

    def short_name(self, container: Container) -> str:
        """`web-1` for `shop-web-1`."""
        return names.short_name(container.name, self.name)

    def containers(self, services: Sequence[str] = ()) -> tuple[Container, ...]:
        """Containers of the named services (none: of all), without one-offs.

        Raises UnknownService.
        """
        check_services(services, self.services)
        return tuple(
            container
            for container in self.observed.containers
            if not names.is_one_off(container)
            and (not services or container.labels.get(names.SERVICE) in services)
        )

    def check_exists(self) -> None:
        """Raise NoSuchProject where there is neither a file nor a container of it."""
        if self.project is None and not self.observed.containers:
            what = f"there is no container of a project `{self.name}`"
            raise NoSuchProject(what, hint="`buoy ls -a` lists the projects")

    def replica(self, service: str, index: int) -> Container:
        """Replica `index` of a service; 0 is the lowest there is. It has to run, or be about to.

        Raises UnknownService, NotRunning.
        """
        check_services((service,), self.services)
        replicas = [
            container
            for container in self.observed.of_service(service)
            if index in (0, names.number_of(container))
        ]
        alive = [one for one in replicas if one.status in ("running", "paused", "restarting")]
        if alive:
            return alive[0]
        what = f"service `{service}` is not running"
        if index:
            what = f"service `{service}` has no running container #{index}"
        raise NotRunning(what, hint=f"`buoy up -d {service}` starts it")

    def any_replica(self, service: str, index: int) -> Container:
        """The same of one that need not run. Raises UnknownService, ContainerProblem."""
        check_services((service,), self.services)
        for container in self.observed.of_service(service):
            if index in (0, names.number_of(container)):
                return container
        what = f"service `{service}` has no container" + (f" #{index}" if index else "")
        raise ContainerProblem(what, hint=f"`buoy create {service}` makes it", code="no-container")


def find_target(
    context: Context, args: argparse.Namespace, *, containers_only: bool = True
) -> Target:
    """The project of the file; without a file, the one that -p names.

    containers_only  leave out networks, volumes and images, which most verbs do not ask about;
                     what is wrong with networks none does

    Raises NoProjectFile where there is neither.
    """
    project: Project | None = None
    try:
        project = context.load_project(args)
    except NoProjectFile:
        name = context.project_name()
        if args.files or not name:
            raise
    else:
        name = project.name
    if containers_only:
        return Target(name=name, project=project, observed=observe_containers(context.engine, name))
    observed = observe(context.engine, name, project, faults=False)
    return Target(name=name, project=project, observed=observed)


def check_services(asked: Sequence[str], known: Collection[str]) -> None:
    """Raise UnknownService for the first of `asked` that is not `known`."""
    for name in asked:
        if name not in known:
            raise UnknownService(f"there is no service `{name}`", hint=nearest(name, known))
