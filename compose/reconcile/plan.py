"""Plans of `up`, `create` and `scale`: from what is desired and observed to steps. Pure."""

from __future__ import annotations

from compose.model.record import Record
from compose.reconcile.built import check_built
from compose.reconcile.changed_volumes import changed_volumes, users_of
from compose.reconcile.decide import decide
from compose.reconcile.plan_containers import ContainerSteps
from compose.reconcile.plan_resources import ResourceSteps
from compose.reconcile.step import StepList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model import Project, Service
    from compose.reconcile.decide import Decision, Recreate
    from compose.reconcile.observe import Observed
    from compose.reconcile.step import Step


class UpOptions(Record):
    """What `up`, `create` and `scale` are asked for.

    services                those named; empty: all. Their dependencies come along
                            unless `no_deps`
    recreate                which containers of the named services are made anew
    recreate_dependencies   the same for services that only come along
    scale                   number of replicas, above the file's
    build                   False: an image that is missing is never built
    start                   False: create only
    wait                    end with waits until all is running or healthy
    recreate_volumes        names of volumes to make anew if they are defined otherwise now; all
                            containers that have them are of services planned for
    """

    services: tuple[str, ...] = ()
    no_deps: bool = False
    recreate: Recreate = "diverged"
    recreate_dependencies: Recreate = "diverged"
    remove_orphans: bool = False
    scale: Mapping[str, int] = {}
    build: bool = True
    start: bool = True
    wait: bool = False
    recreate_volumes: tuple[str, ...] = ()

    def selected(self, project: Project) -> dict[str, Service]:
        """The services that are planned for."""
        return selected_services(project, self.services, dependencies=not self.no_deps)


def selected_services(
    project: Project, named: tuple[str, ...] = (), *, dependencies: bool = True
) -> dict[str, Service]:
    """The named services (none: all) and what they need, each after those it needs."""
    order = project.dependencies.services()
    chosen = set(named or order)
    if dependencies:
        for name in reversed(order):
            if name in chosen:
                chosen.update(project.services[name].depends_on)
    return {name: project.services[name] for name in order if name in chosen}


def plan_up(project: Project, observed: Observed, options: UpOptions) -> tuple[Step, ...]:
    """The steps from what is observed to what is desired; empty when nothing differs.

    Raises NotBuilt for what Buoy cannot do yet, Problem where an external network or volume is
    missing.
    """
    services = options.selected(project)
    check_built(project, services.values())
    recreated = [
        change.volume.name
        for change in changed_volumes(project, services.values(), observed)
        if change.volume.name in options.recreate_volumes
    ]
    leaving = users_of(recreated, observed)
    staying = tuple(one for one in observed.containers if one not in leaving)
    decisions = {
        name: _decide(project, service, observed.replace(containers=staying), options)
        for name, service in services.items()
    }
    steps = StepList()
    containers = ContainerSteps(
        steps, project, observed, services, decisions, starting=options.start
    )
    resources = ResourceSteps(steps, project, observed, stop=containers.stop, build=options.build)
    removals = [containers.remove(one, "its volume is recreated") for one in leaving]
    resources.recreate_volumes(recreated, removals)
    resources.plan(services, changing=_changing(services, decisions))
    for service in services.values():
        containers.plan(service, resources.needed_by(service))
    containers.plan_bystanders(resources.networks.values())
    containers.plan_surplus(orphans=options.remove_orphans)
    if options.wait and options.start:
        containers.plan_final_waits()
    return steps.done()


def _decide(
    project: Project, service: Service, observed: Observed, options: UpOptions
) -> list[Decision]:
    named = not options.services or service.name in options.services
    recreate = options.recreate if named else options.recreate_dependencies
    scale = options.scale.get(service.name, service.scale)
    return decide(project, service, observed, scale, recreate)


def _changing(
    services: Mapping[str, Service], decisions: Mapping[str, list[Decision]]
) -> list[Service]:
    """Services of which a container is about to be made, or a hook to run: their images have to be
    here."""
    return [
        service
        for name, service in services.items()
        if any(one.verdict in ("create", "recreate") for one in decisions[name])
        or (service.pre_start and any(one.verdict == "start" for one in decisions[name]))
    ]
