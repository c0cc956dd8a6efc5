"""The cpu controller."""

from __future__ import annotations

import errno
import math
import os

from engine.cgroups.controls import LimitRefused
from engine.cgroups.hierarchy import read_words, write_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.cgroups.controls import Controls

DEFAULT_PERIOD_US = 100_000


def limit(controls: Controls, cpu: dict[str, Any]) -> None:
    """Set `shares` or `idle`; `quota` per `period`, with `burst`; `realtimeRuntime` per
    `realtimePeriod`. Times in microseconds.

    Source: OCI runtime-spec config-linux "cpu"; kernel scheduler/sched-bwc.rst, cgroup-v2.rst.
    """
    (_limit_v2 if controls.version == 2 else _limit_v1)(controls, cpu)
    if cpu.get("idle") is not None:
        controls.put("cpu.idle", cpu["idle"], "cpu.idle")


def _limit_v1(controls: Controls, cpu: dict[str, Any]) -> None:
    _set_shares(controls, cpu.get("shares"))
    _set_realtime(controls, cpu.get("realtimePeriod"), cpu.get("realtimeRuntime"))
    quota_us, period_us = cpu.get("quota"), cpu.get("period")
    if quota_us and not period_us:
        present = read_words(f"{controls.directory}/cpu.cfs_period_us")
        period_us = int(present[0]) if present else DEFAULT_PERIOD_US
    if period_us and quota_us:
        try:
            controls.require("cpu.period", period_us, "cpu.cfs_period_us")
        except LimitRefused as error:
            if error.errno != errno.EINVAL:
                raise
            # the present quota may be too large a part of the new period: the quota goes first
            controls.require("cpu.quota", quota_us, "cpu.cfs_quota_us")
            controls.require("cpu.period", period_us, "cpu.cfs_period_us")
        controls.require("cpu.quota", quota_us, "cpu.cfs_quota_us")
    elif period_us:
        controls.require("cpu.period", period_us, "cpu.cfs_period_us")
    if cpu.get("burst") is not None:
        controls.put("cpu.burst", cpu["burst"], "cpu.cfs_burst_us")


def _set_shares(controls: Controls, shares: int | None) -> None:
    """The kernel takes any number, and cuts it to what it can do."""
    if not shares or not controls.put("cpu.shares", shares, "cpu.shares"):
        return
    taken = read_words(f"{controls.directory}/cpu.shares")
    if taken and int(taken[0]) != shares:
        bound = "most" if int(taken[0]) < shares else "least"
        what = f"{shares} shares: the {bound} are {taken[0]}"
        raise LimitRefused("cpu.shares", errno.EINVAL, what)


def _set_realtime(controls: Controls, period_us: int | None, runtime_us: int | None) -> None:
    """A group can have no more real-time than the one above it, which begins with none."""
    if runtime_us:
        _lend_realtime(os.path.dirname(controls.directory))
    if period_us:
        controls.put("cpu.realtimePeriod", period_us, "cpu.rt_period_us")
    if runtime_us:
        controls.put("cpu.realtimeRuntime", runtime_us, "cpu.rt_runtime_us")


def _lend_realtime(directory: str) -> None:
    """Give every group above as much as the first that has any."""
    above: list[str] = []
    while read_words(f"{directory}/cpu.rt_runtime_us") == ["0"]:
        above.append(directory)
        directory = os.path.dirname(directory)
    runtime_us = read_words(f"{directory}/cpu.rt_runtime_us")
    for one in reversed(above if runtime_us else []):
        try:
            write_value(one, "cpu.rt_runtime_us", runtime_us[0])
        except OSError:  # shared out already: the group itself will say so
            return


def _limit_v2(controls: Controls, cpu: dict[str, Any]) -> None:
    shares, quota_us, period_us = (cpu.get(key) for key in ("shares", "quota", "period"))
    if shares:
        controls.put("cpu.shares", weight(shares), "cpu.weight")
    if quota_us or period_us:
        present = read_words(f"{controls.directory}/cpu.max") or ["max", str(DEFAULT_PERIOD_US)]
        granted = present[0] if not quota_us else "max" if quota_us < 0 else str(quota_us)
        controls.require("cpu.quota", f"{granted} {period_us or present[1]}", "cpu.max")
    if cpu.get("burst") is not None:
        controls.put("cpu.burst", cpu["burst"], "cpu.max.burst")
    for key in ("realtimePeriod", "realtimeRuntime"):
        if cpu.get(key):
            controls.discard(f"cpu.{key}", "cgroup v2 has no such setting")


def quota(cpus: float, period_us: int = DEFAULT_PERIOD_US) -> int:
    """Microseconds per period that grant `cpus` CPUs: 1.5 -> 150000.

    Raises ValueError where the kernel would only say EINVAL: a quota under 1,000.
    """
    quota_us = round(cpus * period_us)
    if quota_us < 1_000:
        raise ValueError(f"cpus={cpus}: the least the kernel grants is {1_000 / period_us}")
    return quota_us


def weight(shares: int) -> int:
    """v1 shares (2..262144) as v2 weight (1..10000): 1024 -> 100.

    Source: opencontainers/cgroups, the mapping of 2025 that keeps both defaults together.
    """
    if shares <= 2:
        return 1
    if shares >= 262_144:
        return 10_000
    exponent = math.log2(shares)
    return math.ceil(10 ** ((exponent * exponent + 125 * exponent) / 612 - 7 / 34))
