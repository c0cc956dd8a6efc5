"""`deploy` of a service as it is written: what of it counts here is in the service itself."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.devices import DeviceRequest


class Deploy(Record):
    """Replicas, limits and roll-outs (Compose: services.deploy).

    limits, reservations, restart_policy   None: there is no such block
    """

    mode: str | None = None
    replicas: int | None = None
    endpoint_mode: str | None = None
    labels: Mapping[str, str] = {}
    limits: DeployLimits | None = None
    reservations: DeployReservations | None = None
    restart_policy: DeployRestart | None = None
    update_config: RollOut | None = None
    rollback_config: RollOut | None = None
    placement: Placement | None = None


class DeployLimits(Record):
    """What a container may use at most."""

    cpus: float | None = None
    memory_bytes: int | None = None
    pids: int | None = None


class DeployReservations(Record):
    """What is kept for a container; `generic_resources` are (kind, number)."""

    cpus: float | None = None
    memory_bytes: int | None = None
    generic_resources: tuple[tuple[str, int], ...] = ()
    devices: tuple[DeviceRequest, ...] = ()


class DeployRestart(Record):
    """When a container is started again."""

    condition: str | None = None
    delay_s: float | None = None
    max_attempts: int | None = None
    window_s: float | None = None


class RollOut(Record):
    """How replicas are replaced, in a cluster."""

    parallelism: int | None = None
    delay_s: float | None = None
    failure_action: str | None = None
    monitor_s: float | None = None
    max_failure_ratio: float | None = None
    order: str | None = None


class Placement(Record):
    """Which machines of a cluster are used; `preferences` are the labels to spread over."""

    constraints: tuple[str, ...] = ()
    preferences: tuple[str, ...] = ()
    max_replicas_per_node: int | None = None
