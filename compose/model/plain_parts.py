"""The rarer parts of a service as plain values: `deploy`, devices, hooks, models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.source.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compose.model.deploy import Deploy, DeployReservations, RollOut
    from compose.model.devices import BlockIO, DeviceRequest
    from compose.model.hooks import Hook, WatchRule
    from compose.model.service import Service

Plain = dict[str, Any]


def given(**values: Any) -> Plain:
    """The values that say something."""
    return {
        key: value
        for key, value in values.items()
        if value is not None and value is not False and value not in ({}, [], "")
    }


def with_extensions(values: Plain, extensions: Mapping[str, Any]) -> Plain:
    """The values with the extensions at their places (`compose.source.extensions`).

    Nothing is made up for those of items that the values do not have, as files that were read.
    """
    for key, inner in extensions.items():
        place = values.get(key)
        if key.startswith("x-") and key not in values:
            values[key] = inner
        elif isinstance(place, dict):
            with_extensions(place, inner)
        elif isinstance(place, list):
            for index, item in enumerate(place):
                with_extensions(item, inner.get(f"[{index}]", {}))
        elif isinstance(place, int) and not isinstance(place, bool):  # a limit, in its short form
            values[key] = {"soft": place, "hard": place, **inner}
        elif place is None and (whole := _whole(inner)) != {}:
            values[key] = whole
    return values


def _whole(extensions: Mapping[str, Any]) -> Plain:
    """Extensions of a mapping that has nothing else, without those of items of lists."""
    return {
        key: one if key.startswith("x-") else _whole(one)
        for key, one in extensions.items()
        if not key.startswith("[")
    }


def size(size_bytes: int | None) -> str | None:
    """Bytes as the reference prints them: decimal digits in a string."""
    return None if size_bytes is None else str(size_bytes)


def _span(seconds: float | None) -> str | None:
    return None if seconds is None else format_duration(seconds)


def plain_machine(service: Service) -> Plain:
    """The devices of a service, and what of the machine it is to use."""
    return given(
        blkio_config=None if service.block_io is None else _block_io(service.block_io),
        cgroup_parent=service.cgroup_parent,
        deploy=None if service.deploy is None else _deploy(service.deploy),
        device_cgroup_rules=list(service.device_cgroup_rules),
        devices=[device.values() for device in service.devices],
        gpus=[_request(one) for one in service.gpus],
        runtime=service.runtime,
        storage_opt=dict(service.storage_opt),
    )


def plain_life(service: Service) -> Plain:
    """Hooks, what is watched, and what serves it from outside."""
    provider = service.provider
    bound = {
        key: None if one is None else given(**one.values()) for key, one in service.models.items()
    }
    return given(
        develop=given(watch=[_rule(rule) for rule in service.watch]),
        models=bound,
        post_start=[_hook(hook) for hook in service.post_start],
        pre_start=[_hook(hook) for hook in service.pre_start],
        pre_stop=[_hook(hook) for hook in service.pre_stop],
        provider=None
        if provider is None
        else given(type=provider.type, options=_lists(provider.options)),
        use_api_socket=service.use_api_socket,
    )


def _lists(values: Any) -> Plain:
    return {key: list(one) if isinstance(one, tuple) else one for key, one in values.items()}


def _hook(hook: Hook) -> Plain:
    return {"command": list(hook.command)} | given(
        image=hook.image,
        user=hook.user,
        privileged=hook.privileged,
        working_dir=hook.working_dir,
        environment=dict(hook.environment),
        per_replica=hook.per_replica,
    )


def _rule(rule: WatchRule) -> Plain:
    return given(
        path=rule.path,
        action=rule.action,
        target=rule.target,
        ignore=list(rule.ignore),
        include=list(rule.include),
        exec=None if rule.exec is None else _hook(rule.exec),
        initial_sync=rule.initial_sync,
    )


def _request(request: DeviceRequest) -> Plain:
    return given(
        driver=request.driver,
        count=request.count,
        device_ids=list(request.device_ids),
        capabilities=list(request.capabilities),
        options=dict(request.options),
    )


def _block_io(block: BlockIO) -> Plain:
    return given(
        weight=block.weight,
        weight_device=_by_path(block.weight_device, "weight"),
        device_read_bps=_by_path(block.device_read_bps, "rate"),
        device_write_bps=_by_path(block.device_write_bps, "rate"),
        device_read_iops=_by_path(block.device_read_iops, "rate"),
        device_write_iops=_by_path(block.device_write_iops, "rate"),
    )


def _by_path(pairs: Iterable[tuple[str, int]], key: str) -> list[Plain]:
    return [{"path": path, key: value} for path, value in pairs]


def _deploy(deploy: Deploy) -> Plain:
    """`deploy` as it is written; a block that is there and empty stays."""
    limits, restart, placement = deploy.limits, deploy.restart_policy, deploy.placement
    blocks: Plain = {}
    if limits is not None:
        memory = size(limits.memory_bytes)
        blocks["limits"] = given(cpus=limits.cpus, memory=memory, pids=limits.pids)
    if deploy.reservations is not None:
        blocks["reservations"] = _reservations(deploy.reservations)
    values = given(
        mode=deploy.mode,
        replicas=deploy.replicas,
        endpoint_mode=deploy.endpoint_mode,
        labels=dict(deploy.labels),
        resources=blocks,
        update_config=_roll_out(deploy.update_config),
        rollback_config=_roll_out(deploy.rollback_config),
    )
    if restart is not None:
        values["restart_policy"] = given(
            condition=restart.condition,
            delay=_span(restart.delay_s),
            max_attempts=restart.max_attempts,
            window=_span(restart.window_s),
        )
    if placement is not None:
        values["placement"] = given(
            constraints=list(placement.constraints),
            preferences=[{"spread": label} for label in placement.preferences],
            max_replicas_per_node=placement.max_replicas_per_node,
        )
    return values


def _reservations(reserved: DeployReservations) -> Plain:
    specs = [{"kind": kind, "value": value} for kind, value in reserved.generic_resources]
    return given(
        cpus=reserved.cpus,
        memory=size(reserved.memory_bytes),
        generic_resources=[{"discrete_resource_spec": spec} for spec in specs],
        devices=[
            _request(one) | {"capabilities": list(one.capabilities)} for one in reserved.devices
        ],
    )


def _roll_out(roll_out: RollOut | None) -> Plain | None:
    if roll_out is None:
        return None
    return given(
        parallelism=roll_out.parallelism,
        delay=_span(roll_out.delay_s),
        failure_action=roll_out.failure_action,
        monitor=_span(roll_out.monitor_s),
        max_failure_ratio=roll_out.max_failure_ratio,
        order=roll_out.order,
    )
