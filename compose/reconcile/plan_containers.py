"""The part of a plan that makes, starts, awaits and removes containers."""

from __future__ import annotations

from compose.reconcile import names
from compose.reconcile.decide import INTERRUPTED, UP, find_orphans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compose.model import Dependency, Project, Service
    from compose.reconcile.decide import Decision
    from compose.reconcile.observe import Observed
    from compose.reconcile.step import Action, StepList
    from engine import Container

COMPLETED = "service_completed_successfully"


class ContainerSteps:
    """Adds to `steps` what the decisions ask for, and remembers which step starts what.

    services   each after those it needs; `plan` is called for them in that order
    starting   False: containers are made, not started, and nothing is awaited
    """

    def __init__(
        self,
        steps: StepList,
        project: Project,
        observed: Observed,
        services: Mapping[str, Service],
        decisions: Mapping[str, list[Decision]],
        *,
        starting: bool,
    ) -> None:
        self._steps, self._project, self._observed = steps, project, observed
        self._services, self._decisions, self._starting = services, decisions, starting
        self._stops: dict[str, int] = {}  # id of a container -> step
        self._starts: dict[str, dict[str, int]] = {}  # service -> name of a container -> step
        self._hooks: dict[str, list[int]] = {}  # service -> the last step of its pre_start
        self._waits: dict[tuple[str, str], list[int]] = {}  # service, condition -> steps

    def plan(self, service: Service, needs: list[int]) -> None:
        """The service's containers; `needs` are the steps that make what they consist of."""
        needs = [*needs, *self._discard(self._decisions[service.name])]
        for decision in self._decisions[service.name]:
            if decision.verdict == "create":
                made = self._add("create", decision, decision.cause, needs)
                self._start(service, decision, "created", [made])
            elif decision.verdict == "recreate":
                self._recreate(service, decision, needs)
            elif decision.verdict in ("keep", "start"):
                self._keep(service, decision, needs)

    def plan_bystanders(self, needs: Iterable[int]) -> None:
        """Start again what was stopped for a change and is of no service planned here."""
        for container in self._observed.containers:
            service = container.labels.get(names.SERVICE, "")
            if container.id in self._stops and service not in self._services:
                needs = [self._stops[container.id], *needs]
                self._add_observed("start", container, "stopped for a change", needs)

    def plan_surplus(self, *, orphans: bool) -> None:
        """Remove replicas that are too many, and orphans."""
        for decisions in self._decisions.values():
            for decision in decisions:
                if decision.verdict == "remove" and decision.container is not None:
                    self.remove(decision.container, decision.cause)
        if orphans:
            for container in find_orphans(self._project, self._observed):
                self.remove(container, "orphan")

    def plan_final_waits(self) -> None:
        """Waits of `--wait`: completed where another service asks for that, else healthy."""
        completing = {
            name
            for service in self._project.services.values()
            for name, dependency in service.depends_on.items()
            if dependency.condition == COMPLETED
        }
        for name in self._services:
            if (name, "service_healthy") not in self._waits:
                self._await(name, COMPLETED if name in completing else "running")

    def stop(self, container: Container, cause: str) -> int:
        """The step that stops a container, planned once."""
        if container.id not in self._stops:
            self._stops[container.id] = self._add_observed("stop", container, cause)
        return self._stops[container.id]

    def remove(self, container: Container, cause: str) -> int:
        """The step that removes a container; one that runs is stopped before."""
        needs = [self.stop(container, cause)] if container.status in UP else []
        return self._add_observed("remove", container, cause, needs)

    def _discard(self, decisions: Iterable[Decision]) -> list[int]:
        """Clear half-made replacements away: new ones would be given their names."""
        return [
            self.remove(decision.container, decision.cause)
            for decision in decisions
            if decision.verdict == "discard" and decision.container is not None
        ]

    def _recreate(self, service: Service, decision: Decision, needs: list[int]) -> None:
        """The old one runs until all that the new one needs to start is there."""
        conditions, tolerates = self._conditions(service)
        stops = self._stop_dependents(service)
        made = self._add(
            "recreate", decision, decision.cause, [*needs, *conditions, *stops], tolerates
        )
        self._start(service, decision, "recreated", [made])

    def _keep(self, service: Service, decision: Decision, needs: list[int]) -> None:
        assert decision.container is not None
        if decision.container.name != decision.name and names.REPLACE in decision.container.labels:
            needs = [*needs, self._add("rename", decision, INTERRUPTED)]
        stopped = self._stops.get(decision.container.id)
        if stopped is not None:
            needs = [stopped, *needs, *self._stop_guests(service)]
            self._start(service, decision, "stopped for a change", needs)
        elif decision.verdict == "start":
            self._start(service, decision, decision.cause, [*needs, *self._stop_guests(service)])

    def _start(self, service: Service, decision: Decision, cause: str, needs: list[int]) -> None:
        if self._starting:
            conditions, tolerates = self._conditions(service)
            needs = [*needs, *conditions]
            needs += self._pre_start(service, needs, tolerates)
            step = self._add("start", decision, cause, needs, tolerates)
            self._starts.setdefault(service.name, {})[decision.name] = step

    def _pre_start(
        self, service: Service, needs: Iterable[int], tolerates: Iterable[int]
    ) -> list[int]:
        """The last hook before a service starts, after the first container is made; planned once,
        and not where a container of it goes on as it is."""
        if service.name not in self._hooks:
            last: list[int] = []
            kept = any(one.verdict == "keep" for one in self._decisions[service.name])
            for number, _ in enumerate(() if kept else service.pre_start, start=1):
                step = self._steps.add(
                    "run",
                    "container",
                    f"{service.name}-pre_start-{number}",
                    "pre_start",
                    needs=[*needs, *last],
                    tolerates=tolerates,
                    service=service.name,
                    number=number,
                )
                last = [step]
            self._hooks[service.name] = last
        return self._hooks[service.name]

    def _stop_dependents(self, service: Service) -> list[int]:
        """Stop those that restart with the service and would otherwise be left as they are."""
        dependents = [
            name
            for name, other in self._services.items()
            if service.name in other.depends_on and other.depends_on[service.name].restart
        ]
        return self._stop_kept(dependents, f"{service.name} is recreated")

    def _stop_guests(self, service: Service) -> list[int]:
        """Stop those that are in namespaces of the service, of which it gets new ones."""
        if not self._starting:
            return []
        wanted = f"service:{service.name}"
        guests = [
            name
            for name, other in self._services.items()
            if wanted in (other.network_mode, *other.namespaces.values())
        ]
        return self._stop_kept(guests, f"{service.name} is started")

    def _stop_kept(self, services: Iterable[str], cause: str) -> list[int]:
        return [
            self.stop(decision.container, cause)
            for name in services
            for decision in self._decisions[name]
            if decision.verdict == "keep" and decision.container is not None
        ]

    # Conditions

    def _conditions(self, service: Service) -> tuple[list[int], list[int]]:
        """Steps after which what the service depends on is as it wants it; which may fail."""
        needs: list[int] = []
        tolerates: list[int] = []
        for name, dependency in service.depends_on.items():
            if self._starting and name in self._services:
                steps = self._condition(name, dependency)
                needs += steps
                tolerates += [] if dependency.required else steps
        return needs, tolerates

    def _condition(self, name: str, dependency: Dependency) -> list[int]:
        if dependency.condition == "service_started":
            return list(self._starts.get(name, {}).values())
        return self._await(name, dependency.condition)

    def _await(self, name: str, condition: str) -> list[int]:
        """The steps that wait for a service's replicas, planned once."""
        key = (name, condition)
        if key not in self._waits:
            starts = self._starts.get(name, {})
            self._waits[key] = [
                self._add(
                    "wait",
                    decision,
                    condition,
                    [starts[decision.name]] if decision.name in starts else [],
                )
                for decision in self._decisions[name]
                if decision.verdict not in ("remove", "discard")
                and not self._holds(decision, condition)
            ]
        return self._waits[key]

    def _holds(self, decision: Decision, condition: str) -> bool:
        """Whether a kept container is already as the condition wants it."""
        container = decision.container
        if decision.verdict != "keep" or container is None or container.id in self._stops:
            return False
        if condition == "running":
            return container.status == "running" and container.health in (None, "healthy")
        return condition == "service_healthy" and container.health == "healthy"

    # Steps

    def _add(
        self,
        action: Action,
        decision: Decision,
        cause: str,
        needs: Iterable[int] = (),
        tolerates: Iterable[int] = (),
    ) -> int:
        return self._steps.add(
            action,
            "container",
            names.short_name(decision.name, self._project.name),
            cause,
            needs=needs,
            tolerates=tolerates,
            service=decision.service,
            number=decision.number,
            target=decision.container.id if decision.container else "",
        )

    def _add_observed(
        self, action: Action, container: Container, cause: str, needs: Iterable[int] = ()
    ) -> int:
        return self._steps.add(
            action,
            "container",
            names.short_name(container.name, self._project.name),
            cause,
            needs=needs,
            service=container.labels.get(names.SERVICE, ""),
            number=names.number_of(container),
            target=container.id,
        )
