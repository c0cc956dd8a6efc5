"""What becomes of each replica of a service: the rules of cli.md 8, as pure functions."""

from __future__ import annotations

from compose.model.record import Record
from compose.reconcile import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from compose.model import Project, Service
    from compose.reconcile.observe import Observed
    from engine import Container

    Verdict = Literal["keep", "create", "recreate", "start", "remove", "discard"]
    Recreate = Literal["diverged", "force", "never"]

UP = ("running", "paused", "restarting")
INTERRUPTED = "left by an interrupted command"


class Decision(Record):
    """The verdict on one replica.

    name       that its container is to have; an interrupted recreation may have left another
    container  the observed one; None when it is to be created
    """

    verdict: Verdict
    service: str
    number: int
    name: str
    cause: str = ""
    container: Container | None = None


def decide(
    project: Project, service: Service, observed: Observed, scale: int, recreate: Recreate
) -> list[Decision]:
    """A verdict for each replica that exists or is missing; those that go come last.

    `discard` is for the half-made replacement of a container that is still there.
    """
    existing = observed.of_service(service.name)
    leftovers = [one for one in existing if _is_leftover(one, existing)]
    replicas = [one for one in existing if one not in leftovers]
    causes = {one.id: divergence(project, service, one, observed) for one in replicas}
    kept, surplus = _split_surplus(replicas, causes, scale)
    highest = max(map(names.number_of, kept), default=0)
    missing = range(highest + 1, highest + 1 + scale - len(kept))
    scaled = f"scaled to {scale}"
    return [
        *(_decide_existing(project, service, one, causes[one.id], recreate) for one in kept),
        *(
            _decision("create", project, service, number, scaled if replicas else "missing")
            for number in missing
        ),
        *(
            _decision("remove", project, service, names.number_of(one), scaled, one)
            for one in surplus
        ),
        *(
            _decision("discard", project, service, names.number_of(one), INTERRUPTED, one)
            for one in leftovers
        ),
    ]


def _is_leftover(container: Container, existing: Sequence[Container]) -> bool:
    """Whether a recreation was interrupted while the container to be replaced was still there."""
    replaced = container.labels.get(names.REPLACE)
    return replaced is not None and any(one.id == replaced for one in existing)


def divergence(
    project: Project, service: Service, container: Container, observed: Observed
) -> str | None:
    """Why the container is not what the service asks for; None when it is."""
    labels = container.labels
    if labels.get(names.CONFIG_HASH) != service.digest:
        return _changed_configuration(project, service, container, observed)
    image = observed.images.get(service.image_name)
    if image is not None and labels.get(names.IMAGE) != image:
        return "image changed"
    if container.status == "running" and container.attachments:
        attached = {attachment.network for attachment in container.attachments}
        for key in service.networks:
            if project.networks[key].name not in attached:
                return f"not on network {key}"
    mounted = {(mount.source, mount.target) for mount in container.mounts}
    for mount in service.mounts:
        if mount.type == "volume" and mount.source and mounted:
            volume = project.volumes[mount.source]
            if (volume.name, mount.target) not in mounted:
                return f"volume {mount.source} is not mounted"
    return None


def _changed_configuration(
    project: Project, service: Service, container: Container, observed: Observed
) -> str:
    """`configuration changed: environment FOO, ports`."""
    origin = observed.origins.get(container.id)
    if origin is None:
        return "configuration changed"
    from compose.reconcile.differences import differences  # loads the engine's specifications

    number = names.number_of(container)
    found = differences(project, service, number, origin.spec, origin.image)
    return ": ".join(["configuration changed", *([", ".join(found)] if found else [])])


def _decide_existing(
    project: Project,
    service: Service,
    container: Container,
    cause: str | None,
    recreate: Recreate,
) -> Decision:
    number = names.number_of(container)
    if recreate == "force":
        return _decision("recreate", project, service, number, "forced", container)
    if recreate == "diverged" and cause:
        return _decision("recreate", project, service, number, cause, container)
    if container.status in UP and container.status != "paused":
        return _decision("keep", project, service, number, "as desired", container)
    return _decision("start", project, service, number, describe_status(container), container)


def _split_surplus(
    containers: Sequence[Container], causes: dict[str, str | None], scale: int
) -> tuple[list[Container], list[Container]]:
    """Those that stay and those that go: diverged ones first, then the highest numbers."""
    by_worth = sorted(containers, key=lambda one: (bool(causes[one.id]), names.number_of(one)))
    kept = sorted(by_worth[:scale], key=names.number_of)
    return kept, by_worth[scale:]


def _decision(
    verdict: Verdict,
    project: Project,
    service: Service,
    number: int,
    cause: str,
    container: Container | None = None,
) -> Decision:
    return Decision(
        verdict=verdict,
        service=service.name,
        number=number,
        name=names.container_name(project, service, number),
        cause=cause,
        container=container,
    )


def describe_status(container: Container) -> str:
    """`created`, `exited (1)`, `exited (137), out of memory`."""
    if container.exit_code is None or container.status == "created":
        return container.status
    reason = container.error or ("out of memory" if container.oom_killed else "")
    why = f", {reason}" if reason else ""
    return f"{container.status} ({container.exit_code}){why}"


def find_orphans(project: Project, observed: Observed) -> list[Container]:
    """Containers of services that are gone from the file, and one-offs that have ended."""
    known = {*project.services, *project.disabled}
    return [
        container
        for container in observed.containers
        if (
            container.status not in UP
            if names.is_one_off(container) and not names.is_hook(container)
            else container.labels.get(names.SERVICE) not in known
        )
    ]
