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

    Verdict = Literal["keep", "create", "recreate", "start", "remove"]
    Recreate = Literal["diverged", "force", "never"]

UP = ("running", "paused", "restarting")


class Decision(Record):
    """The verdict on one replica.

    name       of the container that is or will be
    container  the observed one; None when it is to be created
    """

    verdict: Verdict
    service: str
    number: int
    name: str
    cause: str = ""
    container: Container | None = None

    @property
    def starts(self) -> bool:
        """Whether the replica has to be started."""
        return self.verdict in ("create", "recreate", "start")


def decide(
    project: Project, service: Service, observed: Observed, scale: int, recreate: Recreate
) -> list[Decision]:
    """A verdict for each replica that exists or is missing; those to be removed come last."""
    containers = observed.of_service(service.name)
    causes = {one.id: divergence(project, service, one, observed) for one in containers}
    kept, surplus = _split_surplus(containers, causes, scale)
    decisions = [
        _decide_existing(service, container, causes[container.id], recreate) for container in kept
    ]
    highest = max(map(names.number_of, kept), default=0)
    cause = "missing" if not containers else f"scaled to {scale}"
    decisions += [
        Decision(
            verdict="create",
            service=service.name,
            number=number,
            name=names.container_name(project, service, number),
            cause=cause,
        )
        for number in range(highest + 1, highest + 1 + scale - len(kept))
    ]
    return decisions + [
        _decision("remove", service, container, f"scaled to {scale}") for container in surplus
    ]


def divergence(
    project: Project, service: Service, container: Container, observed: Observed
) -> str | None:
    """Why the container is not what the service asks for; None when it is."""
    labels = container.labels
    if labels.get(names.CONFIG_HASH) != service.digest:
        return "configuration changed"
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


def _decide_existing(
    service: Service, container: Container, cause: str | None, recreate: Recreate
) -> Decision:
    if recreate == "force":
        return _decision("recreate", service, container, "forced")
    if recreate == "diverged" and cause:
        return _decision("recreate", service, container, cause)
    if container.status in UP:
        return _decision("keep", service, container, "as desired")
    return _decision("start", service, container, describe_status(container))


def _split_surplus(
    containers: Sequence[Container], causes: dict[str, str | None], scale: int
) -> tuple[list[Container], list[Container]]:
    """Those that stay and those that go: diverged ones first, then the highest numbers."""
    by_worth = sorted(containers, key=lambda one: (bool(causes[one.id]), names.number_of(one)))
    kept = sorted(by_worth[:scale], key=names.number_of)
    return kept, by_worth[scale:]


def _decision(verdict: Verdict, service: Service, container: Container, cause: str) -> Decision:
    return Decision(
        verdict=verdict,
        service=service.name,
        number=names.number_of(container),
        name=container.name,
        cause=cause,
        container=container,
    )


def describe_status(container: Container) -> str:
    """`created`, `exited (1)`."""
    if container.exit_code is None or container.status == "created":
        return container.status
    return f"{container.status} ({container.exit_code})"


def find_orphans(project: Project, observed: Observed) -> list[Container]:
    """Containers of services that are gone from the file, and one-offs that have ended."""
    known = {*project.services, *project.disabled}
    return [
        container
        for container in observed.containers
        if (
            container.status not in UP
            if names.is_one_off(container)
            else container.labels.get(names.SERVICE) not in known
        )
    ]
