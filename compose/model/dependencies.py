"""What needs what, as plain data: the result of `compose.graph.dependencies`."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]
    Kind = Literal[
        "network", "volume", "bind", "image", "config", "secret", "model", "service", "replica"
    ]
    Implying = Literal["links", "volumes_from", "network_mode", "ipc", "pid"]
    Key = (
        Implying
        | Literal["depends_on", "scale", "image", "build", "additional_contexts", "pre_start"]
        | Literal["networks", "volumes", "configs", "secrets", "models"]
    )


class Dependency(Record):
    """One service needs another (Compose: depends_on; or implied by `implied_by`, as `links`).

    restart   restart this service after an explicit restart or recreation of the other
    required  False: start all the same when the other is disabled or fails
    """

    condition: Condition = "service_started"
    restart: bool = False
    required: bool = True
    implied_by: Implying | None = None


class Node(Record):
    """Something that is made or used: a network, volume, config, secret or model by its key, an
    image by its reference, a directory or file of the host (`bind`) by its path, a service, or one
    of its replicas (`number` from 1)."""

    kind: Kind
    name: str
    number: int = 0

    @property
    def is_service(self) -> bool:
        """Whether it is a service or a part of one."""
        return self.kind in ("service", "replica")

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f"-{self.number}" if self.number else "")


class Edge(Record):
    """`needing` comes after `needed`; between services, after its `condition` holds.

    key   of the service, or of its build, that says so in the file
    """

    needing: Node
    needed: Node
    key: Key
    condition: Condition | None = None
    required: bool = True
    restart: bool = False

    @property
    def is_link(self) -> bool:
        """Whether it joins two services, or two images; the kinds of things say all other order."""
        return self.needing.kind == self.needed.kind


class Dependencies(Record):
    """The graph of a project.

    nodes   in an order in which each comes after all that it needs
    edges   sorted by needing, needed
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def services(self) -> tuple[str, ...]:
        """Names of the services, each after those it needs."""
        return tuple(node.name for node in self.nodes if node.kind == "service")

    def needs(self, node: Node) -> tuple[Edge, ...]:
        """The edges from `node` to what it needs directly."""
        return tuple(edge for edge in self.edges if edge.needing == node)

    def needed_by(self, node: Node) -> tuple[Edge, ...]:
        """The edges to `node` from what needs it directly."""
        return tuple(edge for edge in self.edges if edge.needed == node)
