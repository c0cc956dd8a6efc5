"""What needs what in a project, and which key of the file says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.model.dependencies import Edge, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.dependencies import Key
    from compose.model.project import Project
    from compose.model.service import Service


def find_edges(project: Project) -> Iterator[Edge]:
    """The edges of the enabled services, each once.

    A service counts as there when its replicas are. What these need, it needs: the services that
    it depends on, an image, networks, volumes, files of the host, configs, secrets and models. An
    image needs those that its build starts from, and the secrets of the build.
    """
    for service in project.services.values():
        own, replicas = node_of(service.name), list(replicas_of(service))
        for replica in replicas:
            yield Edge(needing=own, needed=replica, key="scale")
        for edge in (*_services(project, own, service), *_resources(project, own, service)):
            yield edge
            for replica in replicas:
                yield edge.replace(needing=replica)
        yield from _build(project, service)


def find_links(project: Project) -> Iterator[Edge]:
    """Those of the edges that can come to a circle: of services and of images among each other."""
    for service in project.services.values():
        yield from _services(project, node_of(service.name), service)
        yield from (edge for edge in _build(project, service) if edge.is_link)


def node_of(service: str) -> Node:
    """The node of a service."""
    return Node(kind="service", name=service)


def replicas_of(service: Service) -> Iterator[Node]:
    """The nodes of its containers."""
    for number in range(1, service.scale + 1):
        yield Node(kind="replica", name=service.name, number=number)


def _services(project: Project, own: Node, service: Service) -> Iterator[Edge]:
    for name, dependency in service.depends_on.items():
        if name in project.services:  # else it is disabled, and not required
            yield Edge(
                needing=own,
                needed=node_of(name),
                key=dependency.implied_by or "depends_on",
                condition=dependency.condition,
                required=dependency.required,
                restart=dependency.restart,
            )


def _resources(project: Project, own: Node, service: Service) -> Iterator[Edge]:
    """Mounts of one thing in several places are one edge."""
    for needed, key in dict.fromkeys(_used(project, service)):
        yield Edge(needing=own, needed=needed, key=key)


def _used(project: Project, service: Service) -> Iterator[tuple[Node, Key]]:
    if service.provider is None:
        yield _image(service), "build" if service.build else "image"
    for image in service.hook_images:
        yield Node(kind="image", name=image), "pre_start"
    for name in service.networks:
        yield Node(kind="network", name=name), "networks"
    for mount in service.mounts:
        if mount.type == "image":
            other = project.services.get(mount.source)
            yield _image(other) if other else Node(kind="image", name=mount.source), "volumes"
        elif mount.source and mount.type in ("bind", "volume"):
            yield Node(kind=mount.type, name=mount.source), "volumes"
    for reference in service.configs:
        yield Node(kind="config", name=reference.source), "configs"
    for reference in service.secrets:
        yield Node(kind="secret", name=reference.source), "secrets"
    for name in service.models:
        yield Node(kind="model", name=name), "models"


def _build(project: Project, service: Service) -> Iterator[Edge]:
    if service.build is None:
        return
    own = _image(service)
    for name in service.build.bases:
        base = _image(project.services[name])
        if base != own or name == service.name:  # several may be built under one name
            yield Edge(needing=own, needed=base, key="additional_contexts")
    for secret in dict.fromkeys(one.source for one in service.build.secrets):
        yield Edge(needing=own, needed=Node(kind="secret", name=secret), key="secrets")


def _image(service: Service) -> Node:
    return Node(kind="image", name=service.image_name)
