"""Volumes that exist and are not what the file says now (cli.md 8). Pure."""

from __future__ import annotations

from compose.model.record import Record
from compose.reconcile import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from compose.model import Project, Service
    from compose.model import Volume as Wanted
    from compose.reconcile.observe import Observed
    from engine import Container, Volume


class ChangedVolume(Record):
    """A volume of the project that is defined otherwise now.

    what       that differs: `labels tier`, `driver`
    users      containers of the project that mount it
    """

    volume: Wanted
    what: tuple[str, ...]
    users: tuple[Container, ...]


def changed_volumes(
    project: Project, services: Iterable[Service], observed: Observed
) -> list[ChangedVolume]:
    """Those that the services mount. One without our digest was not made from a file."""
    return [
        ChangedVolume(
            volume=wanted,
            what=_differences(wanted, found),
            users=tuple(users_of([wanted.name], observed)),
        )
        for wanted, found in _existing(project, services, observed)
        if found.labels.get(names.PROJECT) == project.name
        and found.labels.get(names.CONFIG_HASH, wanted.digest) != wanted.digest
    ]


def foreign_volumes(
    project: Project, services: Iterable[Service], observed: Observed
) -> list[Volume]:
    """Those that the services mount and somebody else has made."""
    return [
        found
        for _, found in _existing(project, services, observed)
        if found.labels.get(names.PROJECT) != project.name
    ]


def users_of(volumes: Collection[str], observed: Observed) -> list[Container]:
    """The project's containers that mount one of the volumes (names)."""
    return [
        container
        for container in observed.containers
        if any(mount.type == "volume" and mount.source in volumes for mount in container.mounts)
    ]


def _existing(
    project: Project, services: Iterable[Service], observed: Observed
) -> list[tuple[Wanted, Volume]]:
    keys = {
        mount.source: None
        for service in services
        for mount in service.mounts
        if mount.type == "volume" and mount.source
    }
    wanted = [project.volumes[key] for key in keys]
    return [
        (one, observed.volumes[one.name])
        for one in wanted
        if not one.external and one.name in observed.volumes
    ]


def _differences(wanted: Wanted, found: Volume) -> tuple[str, ...]:
    labels = {key: value for key, value in found.labels.items() if not key.startswith(names.PREFIX)}
    changed = [
        key for key in {**labels, **wanted.labels} if labels.get(key) != wanted.labels.get(key)
    ]
    return (
        *(["driver"] if wanted.driver != found.driver else []),
        *(["driver_opts"] if dict(wanted.driver_opts) != dict(found.options) else []),
        *([f"labels {', '.join(changed)}"] if changed else []),
    )
