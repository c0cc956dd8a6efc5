"""The graph of a project as boxes and arrows, for all that draws it."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from compose.model.record import Record

if TYPE_CHECKING:
    from typing import Literal

    from compose.model import Edge, Mount, Node, Project, Service
    from compose.model.dependencies import Kind

    Drawn = Kind | Literal["container", "host", "outside"]

CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}


class Box(Record):
    """Something of a project, or around it. `note` says more about it, on a line of its own."""

    kind: Drawn
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
    """The graph of a project, its bind mounts shown by their short paths.

    Replicas have boxes of their own where a service has not just one, and no arrows: they need what
    their service needs.
    """
    graph = project.dependencies
    boxes = {node: _box(project, node) for node in graph.nodes if _is_drawn(project, node)}
    return Drawing(
        name=project.name,
        boxes=tuple(boxes.values()),
        arrows=tuple(
            _arrow(project, edge, boxes)
            for edge in graph.edges
            if edge.needing.kind != "replica" and edge.needed in boxes
        ),
    )


def _is_drawn(project: Project, node: Node) -> bool:
    return node.kind != "replica" or project.services[node.name].scale != 1


def _box(project: Project, node: Node) -> Box:
    name, note = node.name, ""
    match node.kind:
        case "service":
            note = _ports(project.services[name])
        case "replica":
            name = f"{name}-{node.number}"
        case "image":
            note = _origin(project, name)
        case "network":
            note = " ".join(one.subnet for one in project.networks[name].subnets if one.subnet)
        case "bind":
            name = short_path(project, name)
        case "model":
            note = project.models[name].model
    return Box(kind=node.kind, name=name, note=note)


def _arrow(project: Project, edge: Edge, boxes: dict[Node, Box]) -> Arrow:
    return Arrow(
        needing=boxes[edge.needing].key,
        needed=boxes[edge.needed].key,
        label=", ".join(_label(project, edge)),
        optional=not edge.required,
    )


def _label(project: Project, edge: Edge) -> list[str]:
    if edge.condition is not None:
        return _condition(edge)
    if edge.needing.kind == "image":
        return ["built from"] if edge.key == "additional_contexts" else ["build"]
    service = project.services[edge.needing.name]
    match edge.key:
        case "networks":
            return [service.networks[edge.needed.name].ipv4_address or ""]
        case "volumes":
            return [_target(mount) for mount in service.mounts if _is_of(mount, edge, project)]
        case "configs":
            return [one.target for one in service.configs if one.source == edge.needed.name]
        case "secrets":
            return [one.target for one in service.secrets if one.source == edge.needed.name]
    return []


def _condition(edge: Edge) -> list[str]:
    """`healthy`; `started`, `restarts with it`, `by links` where no `depends_on` says it."""
    words = [CONDITIONS[edge.condition]] if edge.condition else []
    words += ["restarts with it"] if edge.restart else []
    return words + ([f"by {edge.key}"] if edge.key != "depends_on" else [])


def _is_of(mount: Mount, edge: Edge, project: Project) -> bool:
    """Whether a mount is what an edge leads to."""
    source = mount.source
    if mount.type == "image" and source in project.services:
        source = project.services[source].image_name
    return (mount.type, source) == (edge.needed.kind, edge.needed.name)


def _target(mount: Mount) -> str:
    return f"{mount.target} (ro)" if mount.read_only else mount.target


def _origin(project: Project, image: str) -> str:
    """From where it is built."""
    for service in project.services.values():
        if service.build and service.image_name == image:
            return f"built from {short_path(project, service.build.context)}"
    return ""


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
