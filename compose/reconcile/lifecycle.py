"""Plans for containers that exist: down, stop, start, restart, kill, rm. Pure.

They work from labels alone, so that they need no project file.
"""

from __future__ import annotations

from compose.model.record import Record
from compose.reconcile import names
from compose.reconcile.decide import UP, describe_status
from compose.reconcile.step import StepList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from compose.reconcile.observe import Observed
    from compose.reconcile.step import Action, Step
    from engine import Container


class DownOptions(Record):
    """What `down` is asked for.

    services       only these and what depends on them; empty: the whole project
    known          services that are in the file; others are orphans. None: there is no file
    orphans        orphans and one-offs too
    volumes        names of volumes to remove
    images         references of images to remove
    external       names of networks that are not ours to remove
    """

    services: tuple[str, ...] = ()
    known: Collection[str] | None = None
    orphans: bool = False
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    external: Collection[str] = ()


def plan_down(observed: Observed, options: DownOptions) -> tuple[Step, ...]:
    """Stop and remove containers, dependents first; then networks, volumes and images."""
    chosen = _with_dependents(observed, options.services)
    leaving = [one for one in observed.containers if _leaves(one, chosen, options)]
    steps = StepList()
    removals = _stop_and_remove(steps, observed, leaving, "down")
    if options.services:
        return steps.done()
    gone = tuple(removals.values())
    for network in observed.networks.values():
        ours = network.labels.get(names.PROJECT) == observed.project
        if ours and network.name not in options.external:
            steps.add("remove", "network", network.name, "down", needs=gone, tolerates=gone)
    for volume in options.volumes:
        if volume in observed.volumes:
            steps.add("remove", "volume", volume, "down -v", needs=gone)
    for reference in options.images:
        steps.add("remove", "image", reference, "down --rmi", needs=gone)
    return steps.done()


def _leaves(container: Container, chosen: Collection[str], options: DownOptions) -> bool:
    service = container.labels.get(names.SERVICE, "")
    orphan = options.known is not None and service not in options.known
    if orphan or (names.is_one_off(container) and not names.is_hook(container)):
        return options.orphans and not options.services
    return service in chosen


def plan_remove(
    observed: Observed, leaving: Iterable[Container], cause: str = "asked for"
) -> tuple[Step, ...]:
    """`rm`: stop those that run, remove all of `leaving`."""
    steps = StepList()
    _stop_and_remove(steps, observed, list(leaving), cause)
    return steps.done()


def plan_stop(observed: Observed, services: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Stop what runs, dependents before what they need."""
    steps = StepList()
    running = [one for one in _of(observed, services) if one.status in UP]
    _stop(steps, observed, running, "asked for")
    return steps.done()


def plan_kill(containers: Iterable[Container], project: str, signal: str) -> tuple[Step, ...]:
    """A signal for each that runs, all at once."""
    steps = StepList()
    for container in containers:
        if container.status in UP:
            _add(steps, "kill", container, project, signal)
    return steps.done()


def plan_pause(containers: Iterable[Container], project: str, *, back: bool) -> tuple[Step, ...]:
    """Pause each that runs, or with `back` let each go on that is paused: all at once."""
    steps = StepList()
    for container in containers:
        if container.status == ("paused" if back else "running"):
            _add(steps, "unpause" if back else "pause", container, project, "asked for")
    return steps.done()


def plan_start(observed: Observed, services: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Start what does not run, each service after those it needs."""
    idle = [one for one in _of(observed, services) if one.status not in ("running", "restarting")]
    causes = {one.id: describe_status(one) for one in idle}
    return _forward("start", observed, idle, causes)


def plan_restart(
    observed: Observed, services: tuple[str, ...] = (), *, dependents: bool = True
) -> tuple[Step, ...]:
    """Restart containers, and those of services that want to restart with them."""
    chosen = _of(observed, services)
    causes = {one.id: "asked for" for one in chosen}
    if services and dependents:
        for container in observed.containers:
            needed = names.parse_depends_on(container)
            with_it = [name for name in services if needed.get(name)]
            if with_it and container.id not in causes and container.status in UP:
                causes[container.id] = f"{with_it[0]} is restarted"
                chosen.append(container)
    return _forward("restart", observed, chosen, causes)


def _of(observed: Observed, services: tuple[str, ...]) -> list[Container]:
    """Containers of the named services (none named: of all), without one-offs."""
    return [
        container
        for container in observed.containers
        if not names.is_one_off(container)
        and (not services or container.labels.get(names.SERVICE) in services)
    ]


def _with_dependents(observed: Observed, services: tuple[str, ...]) -> set[str]:
    """The named services and those that need them, directly or not; none named: all."""
    if not services:
        return set(observed.services())
    chosen = set(services)
    for name in observed.services():  # each after those it needs: one pass is enough
        for container in observed.of_service(name):
            if chosen & names.parse_depends_on(container).keys():
                chosen.add(name)
    return chosen


def _forward(
    action: Action, observed: Observed, containers: Iterable[Container], causes: Mapping[str, str]
) -> tuple[Step, ...]:
    """One step for each container, after those of the services it needs."""
    steps = StepList()
    done: dict[str, list[int]] = {}
    for service, members in _by_service(observed, containers):
        needs = tuple(
            step
            for container in members[:1]
            for need in names.parse_depends_on(container)
            for step in done.get(need, ())
        )
        done[service] = [
            _add(steps, action, one, observed.project, causes[one.id], needs) for one in members
        ]
    return steps.done()


def _stop(
    steps: StepList, observed: Observed, containers: Iterable[Container], cause: str
) -> dict[str, int]:
    """Steps that stop `containers`, dependents first: id of the container -> step."""
    stops: dict[str, int] = {}
    stopped: dict[str, list[int]] = {}  # service -> steps that stop what needs it
    for _, members in reversed(_by_service(observed, containers)):
        for container in members:
            service = container.labels.get(names.SERVICE, "")
            before = tuple(stopped.get(service, ()))
            step = _add(steps, "stop", container, observed.project, cause, before, before)
            stops[container.id] = step
            for need in names.parse_depends_on(container):
                stopped.setdefault(need, []).append(step)
    return stops


def _stop_and_remove(
    steps: StepList, observed: Observed, containers: list[Container], cause: str
) -> dict[str, int]:
    running = [container for container in containers if container.status in UP]
    stops = _stop(steps, observed, running, cause)
    return {
        one.id: _add(
            steps,
            "remove",
            one,
            observed.project,
            cause,
            (stops[one.id],) if one.id in stops else (),
        )
        for _, members in reversed(_by_service(observed, containers))
        for one in members
    }


def _by_service(
    observed: Observed, containers: Iterable[Container]
) -> list[tuple[str, list[Container]]]:
    """The containers by service, each service after those it needs."""
    groups: dict[str, list[Container]] = {name: [] for name in observed.services()}
    for container in containers:
        groups[container.labels.get(names.SERVICE, "")].append(container)
    return [(name, members) for name, members in groups.items() if members]


def _add(
    steps: StepList,
    action: Action,
    container: Container,
    project: str,
    cause: str,
    needs: tuple[int, ...] = (),
    tolerates: tuple[int, ...] = (),
) -> int:
    return steps.add(
        action,
        "container",
        names.short_name(container.name, project),
        cause,
        needs=needs,
        tolerates=tolerates,
        service=container.labels.get(names.SERVICE, ""),
        number=names.number_of(container),
        target=container.id,
    )
