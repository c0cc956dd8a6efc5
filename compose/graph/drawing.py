"""A project as boxes and arrows, for all that draws it."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING, Literal

from compose.model.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from compose.model import Dependency, Mount, Project, Service
    from compose.model.files import FileReference

    Kind = Literal[
        "service",
        "replica",
        "image",
        "network",
        "volume",
        "bind",
        "config",
        "secret",
        "model",
    ]

CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}


class Box(Record):
    """Something of a project. `note` says more about it, on a line of its own."""

    kind: Kind
    name: str
    note: str = ""

    @property
    def key(self) -> str:
        """Unique in a drawing."""
        return f"{self.kind} {self.name}"


class Arrow(Record):
    """The box `needing` needs `needed` (keys of boxes); `label` says how.

    optional   it does without where it must
    """

    needing: str
    needed: str
    label: str = ""
    optional: bool = False


class Drawing(Record):
    """Boxes in an order in which each comes after what it needs, and the arrows between them."""

    name: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def draw(project: Project) -> Drawing:
    """The enabled services of a project and what they use.

    Replicas have boxes of their own where a service has several.
    """
    boxes: dict[str, Box] = {}
    arrows: list[Arrow] = []
    for name in project.dependencies.services():
        for box, arrow in _parts(project, project.services[name]):
            boxes.setdefault(box.key, box)
            if arrow is not None:
                arrows.append(arrow)
    return Drawing(name=project.name, boxes=tuple(boxes.values()), arrows=tuple(arrows))


def _parts(project: Project, service: Service) -> Iterator[tuple[Box, Arrow | None]]:
    """What a service needs, with the arrows to it, and the service itself."""
    own = Box(kind="service", name=service.name, note=_ports(service))
    image = Box(kind="image", name=service.image_name, note=_origin(project, service))
    if service.provider is None:
        yield image, Arrow(needing=own.key, needed=image.key)
    for key, place in service.networks.items():
        network = project.networks[key]
        box = Box(kind="network", name=key, note=network.subnet or "")
        yield box, Arrow(needing=own.key, needed=box.key, label=place.ipv4_address or "")
    for mount in service.mounts:
        if mount.source:
            box = _mounted(project, mount)
            yield box, Arrow(needing=own.key, needed=box.key, label=_target(mount))
    for kind, references in _FILES:
        for one in references(service):
            box = Box(kind=kind, name=one.source)
            yield box, Arrow(needing=own.key, needed=box.key, label=one.target)
    for key in service.models:
        box = Box(kind="model", name=key, note=project.models[key].model)
        yield box, Arrow(needing=own.key, needed=box.key)
    yield own, None
    for number in range(1, service.scale + 1) if service.scale != 1 else ():
        replica = Box(kind="replica", name=f"{service.name}-{number}")
        yield replica, Arrow(needing=own.key, needed=replica.key)
    for name, dependency in service.depends_on.items():
        if name in project.services:
            yield own, _dependency(own, name, dependency)


_FILES: tuple[tuple[Kind, Callable[[Service], tuple[FileReference, ...]]], ...] = (
    ("config", lambda service: service.configs),
    ("secret", lambda service: service.secrets),
)


def _dependency(own: Box, name: str, dependency: Dependency) -> Arrow:
    return Arrow(
        needing=own.key,
        needed=Box(kind="service", name=name).key,
        label=condition_text(dependency),
        optional=not dependency.required,
    )


def condition_text(dependency: Dependency) -> str:
    """`healthy`, or `started, restarts with it`."""
    words = [CONDITIONS[dependency.condition]]
    if dependency.restart:
        words.append("restarts with it")
    return ", ".join(words)


def _mounted(project: Project, mount: Mount) -> Box:
    if mount.type == "volume":
        return Box(kind="volume", name=mount.source)
    return Box(kind="bind", name=short_path(project, mount.source))


def _target(mount: Mount) -> str:
    return f"{mount.target} (ro)" if mount.read_only else mount.target


def _origin(project: Project, service: Service) -> str:
    if service.build is None:
        return ""
    return f"built from {short_path(project, service.build.context)}"


def short_path(project: Project, path: str) -> str:
    """A path, from the project's directory where it lies in there."""
    inside = path == project.directory or path.startswith(project.directory.rstrip("/") + "/")
    return os.path.join(".", os.path.relpath(path, project.directory)) if inside else path  # noqa: PTH118


def _ports(service: Service) -> str:
    """The published ports, as `8080→80`."""
    texts = []
    for port in service.ports:
        first, last = port.published or (None, None)
        outside = "*" if first is None else f"{first}" if first == last else f"{first}-{last}"
        protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
        texts.append(f"{outside}→{port.target}{protocol}")
    return ", ".join(texts)
