"""The cpu controller."""

from __future__ import annotations

import math

from engine.cgroups.hierarchy import write_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_PERIOD_US = 100_000


def limit(directory: str, version: int, cpu: dict[str, Any]) -> None:
    """Set `shares`, and `quota` per `period` (microseconds).

    Source: OCI runtime-spec config-linux "cpu"; kernel scheduler/sched-bwc.rst, cgroup-v2.rst.
    """
    shares, quota_us = cpu.get("shares"), cpu.get("quota")
    period_us = cpu.get("period") or DEFAULT_PERIOD_US
    if version == 1:
        if shares:
            write_value(directory, "cpu.shares", str(shares))
        if quota_us:
            write_value(directory, "cpu.cfs_period_us", str(period_us))
            write_value(directory, "cpu.cfs_quota_us", str(quota_us))
        return
    if shares:
        write_value(directory, "cpu.weight", str(weight(shares)))
    if quota_us:
        granted = "max" if quota_us < 0 else str(quota_us)
        write_value(directory, "cpu.max", f"{granted} {period_us}")


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
