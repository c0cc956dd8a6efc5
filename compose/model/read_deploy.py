"""`deploy` of a service, and the keys without effect, as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.model.deploy import (
    Deploy,
    DeployLimits,
    DeployReservations,
    DeployRestart,
    Placement,
    RollOut,
)
from compose.model.fields import or_none
from compose.model.read_devices import read_requests
from compose.source.tree import plain

if TYPE_CHECKING:
    from compose.model.fields import Fields


def read_deploy(fields: Fields) -> Deploy | None:
    """`deploy`; None where there is none, or nothing in it."""
    deploy = fields.given("deploy")
    if deploy is None:
        return None
    resources, policy = deploy.inside("resources"), deploy.given("restart_policy")
    found = Deploy(
        mode=deploy.text("mode"),
        replicas=deploy.integer("replicas"),
        endpoint_mode=deploy.text("endpoint_mode"),
        labels=deploy.labels(),
        limits=_limits(resources.given("limits")),
        reservations=_reservations(resources.given("reservations")),
        restart_policy=None if policy is None else _restart(policy),
        update_config=_roll_out(deploy.given("update_config")),
        rollback_config=_roll_out(deploy.given("rollback_config")),
        placement=_placement(deploy.given("placement")),
    )
    return or_none(found)


def _limits(fields: Fields | None) -> DeployLimits | None:
    if fields is None:
        return None
    return DeployLimits(
        cpus=fields.number("cpus"), memory_bytes=fields.size("memory"), pids=fields.integer("pids")
    )


def _reservations(fields: Fields | None) -> DeployReservations | None:
    if fields is None:
        return None
    specs = [one.inside("discrete_resource_spec") for one in fields.each("generic_resources")]
    return DeployReservations(
        cpus=fields.number("cpus"),
        memory_bytes=fields.size("memory"),
        generic_resources=tuple(
            (spec.text("kind") or "", spec.integer("value") or 0) for spec in specs
        ),
        devices=tuple(read_requests(fields, "devices")),
    )


def _restart(fields: Fields) -> DeployRestart:
    return DeployRestart(
        condition=fields.text("condition"),
        delay_s=fields.seconds("delay"),
        max_attempts=fields.integer("max_attempts"),
        window_s=fields.seconds("window"),
    )


def _roll_out(fields: Fields | None) -> RollOut | None:
    if fields is None:
        return None
    found = RollOut(
        parallelism=fields.integer("parallelism"),
        delay_s=fields.seconds("delay"),
        failure_action=fields.text("failure_action"),
        monitor_s=fields.seconds("monitor"),
        max_failure_ratio=fields.number("max_failure_ratio"),
        order=fields.text("order"),
    )
    return or_none(found)


def _placement(fields: Fields | None) -> Placement | None:
    if fields is None:
        return None
    return Placement(
        constraints=fields.texts("constraints"),
        preferences=tuple(one.text("spread") or "" for one in fields.each("preferences")),
        max_replicas_per_node=fields.integer("max_replicas_per_node"),
    )


def read_others(fields: Fields, keys: tuple[str, ...]) -> dict[str, Any]:
    """Keys that change nothing here, as they are written but for extensions and empty lists."""
    found = {key: _unextended(plain(fields.tree[key])) for key in keys if key in fields}
    return {key: value for key, value in found.items() if value != []}


def _unextended(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: inner for key, inner in value.items() if not key.startswith("x-")}
