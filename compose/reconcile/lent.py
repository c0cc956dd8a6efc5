"""What `volumes_from` brings: the mounts of containers that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.reconcile import names
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model import Project, Service
    from engine import Container, Engine, Mount


def lent_mounts(engine: Engine, project: Project, service: Service) -> Iterator[Mount]:
    """Volumes and directories of the containers that a service names, in their order.

    Of a service that is its first container. What only one can have, a tmpfs, is not lent. Raises
    ContainerProblem where there is no such container.
    """
    for entry in service.volumes_from:
        kind, _, rest = entry.partition(":")
        name, _, mode = (rest if kind == "container" else entry).partition(":")
        if kind == "container":
            lender = engine.containers.find(name)
        else:
            lender = _first_of(engine, project, name)
        if lender is None:
            raise ContainerProblem(
                f"service `{service.name}` takes the volumes of `{entry}`, which has no container",
                where=project.where(f"services.{service.name}.volumes_from"),
                hint="it has to be created first",
                code="no-such-container",
            )
        for mount in lender.mounts:
            if mount.type != "tmpfs":
                yield mount.replace(read_only=mount.read_only or mode == "ro")


def mounts_of_first(engine: Engine, project: Project, service: str) -> tuple[Mount, ...]:
    """Those of the first container of a service that others can have, too."""
    first = _first_of(engine, project, service)
    return tuple(mount for mount in (first.mounts if first else ()) if mount.type != "tmpfs")


def _first_of(engine: Engine, project: Project, service: str) -> Container | None:
    labels = {names.PROJECT: project.name, names.SERVICE: service, names.ONE_OFF: "False"}
    return min(engine.containers.list(labels), key=names.number_of, default=None)
