"""Plans of `up`, `create` and `scale`: from what is desired and observed to steps. Pure.

A plan with nothing to do is found without building anything: that is the common case.
"""

from __future__ import annotations

from compose.model.record import Record
from compose.reconcile import names
from compose.reconcile.decide import UP, Decision, decide, find_orphans
from compose.reconcile.step import StepList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Literal

    from compose.model import Dependency, Project, Service
    from compose.reconcile.decide import Recreate
    from compose.reconcile.observe import Observed
    from compose.reconcile.step import Step
    from engine import Container


class UpOptions(Record):
    """What `up`, `create` and `scale` are asked for.

    services   those named; empty: all. Their dependencies come along unless `no_deps`
    recreate   which containers of the named services are made anew
    recreate_dependencies   the same for services that only come along
    scale      number of replicas, above the file's
    start      False: create only
    wait       end with waits until all is running or healthy
    """

    services: tuple[str, ...] = ()
    no_deps: bool = False
    recreate: Recreate = "diverged"
    recreate_dependencies: Recreate = "diverged"
    remove_orphans: bool = False
    scale: Mapping[str, int] = {}
    start: bool = True
    wait: bool = False


def selected_services(project: Project, options: UpOptions) -> dict[str, Service]:
    """The services concerned, each after those it needs."""
    order = project.dependencies.services()
    if not options.services:
        return {name: project.services[name] for name in order}
    chosen = set(options.services)
    if not options.no_deps:
        for name in reversed(order):
            if name in chosen:
                chosen.update(project.services[name].depends_on)
    return {name: project.services[name] for name in order if name in chosen}


def plan_up(project: Project, observed: Observed, options: UpOptions) -> tuple[Step, ...]:
    """The steps from what is observed to what is desired; empty when nothing differs."""
    services = selected_services(project, options)
    decisions: dict[str, list[Decision]] = {}
    for name, service in services.items():
        named = not options.services or name in options.services
        recreate = options.recreate if named else options.recreate_dependencies
        scale = options.scale.get(name, service.scale)
        decisions[name] = decide(project, service, observed, scale, recreate)
    return _UpPlan(project, observed, options, services, decisions).steps()


class _UpPlan:
    """Steps in the making, with what has been planned so far by name."""

    def __init__(
        self,
        project: Project,
        observed: Observed,
        options: UpOptions,
        services: Mapping[str, Service],
        decisions: Mapping[str, list[Decision]],
    ) -> None:
        self.project, self.observed, self.options = project, observed, options
        self.services, self.decisions = services, decisions
        self.list = StepList()
        self.networks: dict[str, int] = {}  # key -> step that makes it
        self.volumes: dict[str, int] = {}
        self.images: dict[str, int] = {}  # reference -> step that gets it
        self.stopped: dict[str, int] = {}  # id of a container -> step that stops it
        self.started: dict[str, list[int]] = {}  # service -> steps that start its replicas
        self.waits: dict[tuple[str, str], list[int]] = {}  # (service, condition) -> steps

    def steps(self) -> tuple[Step, ...]:
        self._resources()
        for name, service in self.services.items():
            self._service(service, self.decisions[name])
        self._surplus()
        if self.options.remove_orphans:
            self._orphans()
        if self.options.wait and self.options.start:
            self._final_waits()
        return self.list.done()

    # Networks, volumes, images

    def _resources(self) -> None:
        changing = [
            self.services[name]
            for name, decisions in self.decisions.items()
            if any(one.verdict in ("create", "recreate") for one in decisions)
        ]
        for key in _unique(key for service in self.services.values() for key in service.networks):
            self._network(key)
        for key in _unique(
            mount.source
            for service in self.services.values()
            for mount in service.mounts
            if mount.type == "volume" and mount.source
        ):
            self._volume(key)
        for service in changing:
            self._image(service)

    def _network(self, key: str) -> None:
        network = self.project.networks[key]
        found = self.observed.networks.get(network.name)
        if found is None:
            if not network.external:
                self.networks[key] = self.list.add("create", "network", network.name, "missing")
            return
        digest = found.labels.get(names.CONFIG_HASH)
        if network.external or digest is None or digest == network.digest:
            return
        users = [one for one in self.observed.containers if _is_on(one, network.name)]
        stops = tuple(self._stop(one, f"network {key} changes") for one in users)
        cause = "configuration changed"
        self.networks[key] = self.list.add("recreate", "network", network.name, cause, needs=stops)

    def _volume(self, key: str) -> None:
        volume = self.project.volumes[key]
        if volume.name not in self.observed.volumes and not volume.external:
            self.volumes[key] = self.list.add("create", "volume", volume.name, "missing")

    def _image(self, service: Service) -> None:
        reference = service.image_name
        if reference not in self.observed.images and reference not in self.images:
            action: Literal["build", "pull"] = "build" if service.build else "pull"
            self.images[reference] = self.list.add(
                action, "image", reference, "missing", service=service.name
            )

    # Containers

    def _service(self, service: Service, decisions: list[Decision]) -> None:
        made = self._made_for(service)
        for decision in decisions:
            if decision.verdict == "create":
                made_by = self._add("create", decision, decision.cause, needs=made)
                self._start(service, decision, "created", (made_by,))
            elif decision.verdict == "recreate":
                self._recreate(service, decision, made)
            elif decision.verdict != "remove":
                self._keep(service, decision, made)

    def _made_for(self, service: Service) -> tuple[int, ...]:
        """Steps that make what a container of the service consists of."""
        made = [self.networks.get(key) for key in service.networks]
        made += [self.volumes.get(m.source) for m in service.mounts if m.type == "volume"]
        made.append(self.images.get(service.image_name))
        return tuple(step for step in made if step is not None)

    def _recreate(self, service: Service, decision: Decision, made: tuple[int, ...]) -> None:
        """The old one runs until all is there that the new one needs to start."""
        needs, tolerates = self._conditions(service)
        stops = self._stop_dependents(service)
        made_by = self._add(
            "recreate", decision, decision.cause, needs=(*made, *needs, *stops), tolerates=tolerates
        )
        self._start(service, decision, "recreated", (made_by,))

    def _keep(self, service: Service, decision: Decision, made: tuple[int, ...]) -> None:
        stopped = self.stopped.get(decision.container.id) if decision.container else None
        if decision.verdict == "start":
            self._start(service, decision, decision.cause, made)
        elif stopped is not None:
            self._start(service, decision, "stopped for a change", (stopped, *made))

    def _start(
        self, service: Service, decision: Decision, cause: str, needs: tuple[int, ...]
    ) -> None:
        if not self.options.start:
            return
        conditions, tolerates = self._conditions(service)
        step = self._add(
            "start", decision, cause, needs=(*needs, *conditions), tolerates=tolerates
        )
        self.started.setdefault(service.name, []).append(step)

    def _conditions(self, service: Service) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Steps after which the service's dependencies are as it wants them; which may fail."""
        needs: list[int] = []
        tolerates: list[int] = []
        if not self.options.start:
            return (), ()
        for name, dependency in service.depends_on.items():
            if name in self.services:
                steps = self._condition(name, dependency)
                needs += steps
                tolerates += [] if dependency.required else steps
        return tuple(needs), tuple(tolerates)

    def _condition(self, name: str, dependency: Dependency) -> list[int]:
        if dependency.condition == "service_started":
            return self.started.get(name, [])
        key = (name, dependency.condition)
        if key not in self.waits:
            self.waits[key] = [
                self._wait(decision, dependency.condition)
                for decision in self.decisions[name]
                if decision.verdict != "remove" and not self._holds(decision, dependency.condition)
            ]
        return self.waits[key]

    def _holds(self, decision: Decision, condition: str) -> bool:
        container = decision.container
        if decision.verdict != "keep" or container is None or container.id in self.stopped:
            return False
        if condition == "service_healthy":
            return container.health == "healthy"
        return condition == "running" and container.health in (None, "healthy")

    def _wait(self, decision: Decision, condition: str) -> int:
        needs = tuple(self.started.get(decision.service, ()))
        return self._add("wait", decision, condition, needs=needs)

    def _stop_dependents(self, service: Service) -> tuple[int, ...]:
        """Stop those that want to restart with the service, when they are not recreated anyway."""
        stops = [
            self._stop(decision.container, f"{service.name} is recreated")
            for name, other in self.services.items()
            if service.name in other.depends_on and other.depends_on[service.name].restart
            for decision in self.decisions[name]
            if decision.verdict == "keep" and decision.container is not None
        ]
        return tuple(stops)

    def _stop(self, container: Container, cause: str) -> int:
        if container.id not in self.stopped:
            self.stopped[container.id] = self.list.add(
                "stop",
                "container",
                names.short_name(container.name, self.project.name),
                cause,
                service=container.labels.get(names.SERVICE, ""),
                number=names.number_of(container),
                target=container.id,
            )
        return self.stopped[container.id]

    def _add(
        self,
        action: Literal["create", "recreate", "start", "wait", "remove"],
        decision: Decision,
        cause: str,
        *,
        needs: tuple[int, ...] = (),
        tolerates: tuple[int, ...] = (),
    ) -> int:
        return self.list.add(
            action,
            "container",
            names.short_name(decision.name, self.project.name),
            cause,
            needs=needs,
            tolerates=tolerates,
            service=decision.service,
            number=decision.number,
            target=decision.container.id if decision.container else "",
        )

    # What goes

    def _surplus(self) -> None:
        for decisions in self.decisions.values():
            for decision in decisions:
                if decision.verdict == "remove" and decision.container is not None:
                    self._remove(decision.container, decision.cause)

    def _orphans(self) -> None:
        for container in find_orphans(self.project, self.observed):
            self._remove(container, "orphan")

    def _remove(self, container: Container, cause: str) -> None:
        needs = (self._stop(container, cause),) if container.status in UP else ()
        self.list.add(
            "remove",
            "container",
            names.short_name(container.name, self.project.name),
            cause,
            needs=needs,
            service=container.labels.get(names.SERVICE, ""),
            number=names.number_of(container),
            target=container.id,
        )

    def _final_waits(self) -> None:
        """Waits of `--wait`: completed where another service asks for that, else healthy."""
        completing = {
            name
            for service in self.project.services.values()
            for name, dependency in service.depends_on.items()
            if dependency.condition == "service_completed_successfully"
        }
        for name in self.services:
            condition = "service_completed_successfully" if name in completing else "running"
            if (name, condition) in self.waits or (name, "service_healthy") in self.waits:
                continue
            for decision in self.decisions[name]:
                if decision.verdict != "remove" and not self._holds(decision, condition):
                    self._wait(decision, condition)


def _unique(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))


def _is_on(container: Container, network: str) -> bool:
    return container.status in UP and any(
        attachment.network == network for attachment in container.attachments
    )
