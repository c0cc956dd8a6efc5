"""Limits, health and restarts of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from compose.errors import Conflict, InvalidValue, nearest
from compose.model.fields import or_none
from compose.model.healthcheck import Healthcheck
from compose.model.resources import DEFAULT_PERIOD_US, Resources, RestartPolicy

if TYPE_CHECKING:
    from compose.model.fields import Fields

SHORTEST_SPAN_S = 0.001  # of a health check, as Docker's engine has it
MAX_REPLICAS = 10_000  # of one service
_CONDITIONS = {
    "none": "no",
    "any": "always",
    "on-failure": "on-failure",
    # no words of the format, but Docker's engine knows them, and files have them
    **{name: name for name in ("no", "always", "unless-stopped")},
}


def read_resources(fields: Fields) -> Resources:
    """Limits of a service; those of `deploy` go above those of the service."""
    resources = fields.inside("deploy").inside("resources")
    limits, reserved = resources.given("limits"), resources.given("reservations")
    memory = _agreed(fields, "mem_limit", fields.size("mem_limit"), limits, "memory")
    reservation = fields.size("mem_reservation")
    reservation = _agreed(fields, "mem_reservation", reservation, reserved, "memory")
    pids = _agreed(fields, "pids_limit", fields.integer("pids_limit"), limits, "pids")
    return Resources(
        memory_bytes=memory,
        memory_reservation_bytes=reservation,
        memory_swap_bytes=fields.size("memswap_limit") or None,
        cpus=_cpus(fields, limits),
        cpu_shares=fields.integer("cpu_shares") or None,
        pids=pids if pids and pids > 0 else None,
        cpu_period_us=fields.integer("cpu_period") or None,
        cpu_quota_us=fields.integer("cpu_quota") or None,
        cpu_rt_period_us=fields.integer("cpu_rt_period") or None,
        cpu_rt_runtime_us=fields.integer("cpu_rt_runtime") or None,
        cpuset=fields.text("cpuset") or None,
        swappiness=fields.integer("mem_swappiness"),
        oom_kill_disable=fields.flag("oom_kill_disable"),
    )


def _agreed(
    fields: Fields, key: str, own: int | None, block: Fields | None, name: str
) -> int | None:
    """The value of a block of `deploy`, else the service's own; a conflict where they differ.

    A block that leaves the value out differs as well: that is how the reference reads it.
    """
    if block is None:
        return own or None
    deployed = block.integer(name) if name == "pids" else block.size(name)
    if own and own != (deployed or 0):
        _differs(fields, key, block, name)
    return deployed or own or None


def _cpus(fields: Fields, limits: Fields | None) -> float | None:
    own = fields.number("cpus")
    period, quota = fields.integer("cpu_period"), fields.integer("cpu_quota")
    deployed = limits.number("cpus") if limits else None
    if limits and own and own != (deployed or 0):
        _differs(fields, "cpus", limits, "cpus")
    if quota and quota > 0 and not own and not deployed:
        return quota / (period or DEFAULT_PERIOD_US)
    return deployed or own or None


def _differs(fields: Fields, key: str, block: Fields, name: str) -> None:
    what = f"{fields.name(key)} differs from {block.name(name)}"
    fields.note(Conflict, what, key, hint="write one of them, or the same in both")


def read_scale(fields: Fields) -> int:
    """The number of containers."""
    deploy = fields.inside("deploy")
    own, deployed = fields.integer("scale"), deploy.integer("replicas")
    if own is not None and deployed is not None and own != deployed:
        _differs(fields, "scale", deploy, "replicas")
    scale = own if deployed is None else deployed
    if scale is not None and scale < 0:
        key = ("scale",) if deployed is None else ("deploy", "replicas")
        what = f"{fields.name(*key)}: {scale} containers are fewer than none"
        fields.note(InvalidValue, what, *key)
        return 0
    if scale is not None and scale > MAX_REPLICAS:
        what = f"{fields.name()}: {scale:.0f} containers are more than {MAX_REPLICAS}"
        fields.note(InvalidValue, what)
        return 0
    if scale is not None and scale > 1 and "container_name" in fields:
        what = f"{fields.name()}: `container_name` allows one container, not {scale}"
        fields.note(Conflict, what, "container_name")
    return 1 if scale is None else int(scale)


def read_restart(fields: Fields) -> RestartPolicy:
    """When containers are started again; `deploy.restart_policy` goes above `restart`."""
    policy = fields.inside("deploy").given("restart_policy")
    if policy is not None:
        condition = policy.text("condition") or "any"
        name = _CONDITIONS.get(condition, "always")
        if condition not in _CONDITIONS:
            what = f"{policy.name('condition')}: `{condition}` is not none, on-failure or any"
            policy.note(InvalidValue, what, "condition", hint=nearest(condition, _CONDITIONS))
        attempts = policy.integer("max_attempts") or 0
    else:
        name, _, count = (fields.text("restart") or "no").partition(":")
        attempts = int(count or 0)
    known = cast('Literal["no", "always", "on-failure", "unless-stopped"]', name)
    return RestartPolicy(name=known, max_attempts=attempts if name == "on-failure" else 0)


def read_healthcheck(fields: Fields) -> Healthcheck | None:
    """How a container is found healthy; None where nothing is said. Without a test there are no
    times."""
    test = fields.words("test") or None
    if test is not None and test[:1] not in (("NONE",), ("CMD",), ("CMD-SHELL",)):
        what = f"{fields.name('test')}: the list must begin with CMD, CMD-SHELL or NONE"
        fields.note(InvalidValue, what, "test", hint='as `["CMD", "curl", "-f", "localhost"]`')
    if "start_interval" in fields and "start_period" not in fields:
        what = f"{fields.name()}: `start_interval` needs a `start_period`"
        fields.note(Conflict, what, "start_interval")
    retries = fields.integer("retries")
    if retries is not None and retries < 0:
        fields.note(InvalidValue, f"{fields.name('retries')}: less than none", "retries")
    if fields.flag("disable") or test == ("NONE",):
        return Healthcheck(test=("NONE",))
    found = Healthcheck(
        test=test,
        interval_s=_span(fields, "interval"),
        timeout_s=_span(fields, "timeout"),
        start_period_s=_span(fields, "start_period"),
        start_interval_s=_span(fields, "start_interval"),
        retries=retries,
    )
    return or_none(found)


def _span(fields: Fields, key: str) -> float | None:
    """A time span of a check; 0 is the image's or the default."""
    span_s = fields.seconds(key)
    if span_s is not None and span_s and span_s < SHORTEST_SPAN_S:
        fields.note(InvalidValue, f"{fields.name(key)}: less than 1ms", key)
    return span_s


def read_ulimits(fields: Fields) -> dict[str, tuple[int, int]]:
    """Soft and hard limits by name."""
    limits = {}
    for name, pair in fields.named("ulimits"):
        both = fields.inside("ulimits").integer(name)
        soft, hard = (pair.integer("soft"), pair.integer("hard")) if both is None else (both, both)
        limits[name] = (soft or 0, hard or 0)
        if soft is not None and hard is not None and hard != -1 and not -1 < soft <= hard:
            what = f"{pair.name()}: the soft limit {soft} is above the hard one, {hard}"
            what = f"{pair.name()}: {soft} is not a limit" if soft < -1 else what
            fields.note(InvalidValue, what, "ulimits", name)
    return limits
