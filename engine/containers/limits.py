"""The limits that a container is to have, in the words of the OCI runtime specification.

Checked as Docker checks them (engine.md A15.7): what makes no sense is refused here, with the
setting by name; what this kernel has nothing for is discarded when the container starts.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from engine.cgroups import cpu
from engine.cgroups.hierarchy import Hierarchies, read_words
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.containers.spec import Resources

_LEAST_MEMORY_BYTES = 6 * 1024 * 1024
_LEAST_PERIOD_US, _MOST_PERIOD_US, _LEAST_QUOTA_US = 1_000, 1_000_000, 1_000
_LEAST_WEIGHT, _MOST_WEIGHT = 10, 1_000
_DEVICE_LIMITS = {
    "io_read_bps_device": "throttleReadBpsDevice",
    "io_write_bps_device": "throttleWriteBpsDevice",
    "io_read_iops_device": "throttleReadIOPSDevice",
    "io_write_iops_device": "throttleWriteIOPSDevice",
}


def limits(wanted: Resources, name: str) -> dict[str, Any]:
    """`linux.resources` without the devices, for container `name`. Raises ContainerProblem."""
    described = {
        "memory": dict(_memory(wanted, name)),
        "cpu": dict(_cpu(wanted, name)),
        "pids": {} if wanted.pids is None else {"limit": wanted.pids},
        "blockIO": dict(_block_io(wanted, name)),
    }
    return {section: values for section, values in described.items() if values}


def _memory(wanted: Resources, name: str) -> Iterator[tuple[str, int | bool]]:
    """limit, swap (both together; -1: any) and reservation in bytes, swappiness."""
    limit, swap = wanted.memory_bytes, wanted.memory_swap_bytes
    reservation = wanted.memory_reservation_bytes
    if limit:
        _check(name, "memory.limit", limit, _LEAST_MEMORY_BYTES, hint="the least is 6m")
        yield "limit", limit
        yield "swap", swap or (2 * limit if limit > 0 else -1)
    elif swap and swap > 0:
        hint = "it is for memory and swap together: set the memory limit, too"
        raise _refused(name, "memory.swap", f"a swap limit of {swap} bytes alone", hint)
    if limit and limit > 0 and swap and 0 < swap < limit:
        hint = "it is for memory and swap together: at least the memory limit, or -1"
        raise _refused(name, "memory.swap", f"a swap limit of {swap} bytes", hint)
    if reservation:
        _check(name, "memory.reservation", reservation, _LEAST_MEMORY_BYTES, hint="at least 6m")
        hint = "the reservation is what it keeps when memory is short: no more than the limit"
        most = limit if limit and limit > 0 else None
        _check(name, "memory.reservation", reservation, 0, most, hint=hint)
        yield "reservation", reservation
    if wanted.swappiness is not None and wanted.swappiness != -1:
        hint = "it is from 0 to 100"
        _check(name, "memory.swappiness", wanted.swappiness, 0, 100, hint=hint)
        yield "swappiness", wanted.swappiness
    if wanted.oom_kill_disable is not None:
        yield "disableOOMKiller", wanted.oom_kill_disable


def _cpu(wanted: Resources, name: str) -> Iterator[tuple[str, int | str]]:
    yield from _time(wanted, name).items()
    if wanted.cpu_shares:
        _check(name, "cpu.shares", wanted.cpu_shares, 0, hint="1024 is what others have")
        yield "shares", wanted.cpu_shares
    runtime_us, period_us = wanted.cpu_rt_runtime_us, wanted.cpu_rt_period_us
    if runtime_us:
        hint = "no more than cpu_rt_period, which is 1 s where it is not said"
        _check(name, "cpu.realtimeRuntime", runtime_us, 0, period_us or 1_000_000, hint=hint)
        yield "realtimeRuntime", runtime_us
    if period_us:
        yield "realtimePeriod", period_us
    if wanted.cpuset:
        yield "cpus", _available(wanted.cpuset, "cpus", name)
    if wanted.cpuset_mems:
        yield "mems", _available(wanted.cpuset_mems, "mems", name)


def _time(wanted: Resources, name: str) -> dict[str, int]:
    """`quota` and `period`, microseconds."""
    quota_us, period_us = wanted.cpu_quota_us, wanted.cpu_period_us
    if wanted.cpus:
        if quota_us or period_us:
            hint = "write `cpus`, or quota and period"
            raise _refused(name, "cpu.quota", "`cpus` together with a quota or period", hint)
        count = len(os.sched_getaffinity(0))
        hint = f"from 0.01 to {count}: so many CPUs are here"
        _check(name, "cpu.quota", wanted.cpus, 0.01, count, hint=hint)
        return {"quota": cpu.quota(wanted.cpus), "period": cpu.DEFAULT_PERIOD_US}
    described = {}
    if period_us:
        hint = "from 1000 to 1000000 microseconds"
        _check(name, "cpu.period", period_us, _LEAST_PERIOD_US, _MOST_PERIOD_US, hint=hint)
        described["period"] = period_us
    if quota_us:
        hint = "at least 1000 microseconds, or -1"
        _check(name, "cpu.quota", quota_us, _LEAST_QUOTA_US, hint=hint)
        described["quota"] = quota_us
    return described


def _available(text: str, kind: str, name: str) -> str:
    """A list of CPUs or memory nodes that are here."""
    here = _cpuset(kind)
    try:
        asked = _numbers(text)
    except ValueError:
        hint = "as `0-2` or `0,3`"
        raise _refused(name, f"cpu.{kind}", f"`{text}` as a list", hint) from None
    if here and not asked <= _numbers(here):
        hint = f"available: {here}"
        raise _refused(name, f"cpu.{kind}", f"`{text}` of the host's {kind}", hint)
    return text


def _cpuset(kind: str) -> str:
    """What there is to be shared out; "" where no controller says."""
    hierarchies = Hierarchies.detect()
    if "cpuset" in hierarchies.v1:
        point = hierarchies.v1["cpuset"]
        words = read_words(f"{point}/cpuset.{kind}") or read_words(f"{point}/{kind}")
    else:
        words = read_words(f"{hierarchies.v2}/cpuset.{kind}.effective")
    return ",".join(words)


def _numbers(text: str) -> set[int]:
    """`0-2,5` -> {0, 1, 2, 5}. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def _block_io(wanted: Resources, name: str) -> Iterator[tuple[str, object]]:
    hint = "from 10 to 1000"
    if wanted.io_weight:
        bounds = (_LEAST_WEIGHT, _MOST_WEIGHT)
        _check(name, "blockIO.weight", wanted.io_weight, *bounds, hint=hint)
        yield "weight", wanted.io_weight
    for _, weight in wanted.io_weight_device:
        _check(name, "blockIO.weightDevice", weight, _LEAST_WEIGHT, _MOST_WEIGHT, hint=hint)
    limits = {"io_weight_device": "weightDevice", **_DEVICE_LIMITS}
    for field, key in limits.items():
        word = "weight" if key == "weightDevice" else "rate"
        listed = [
            {**_number_of(path, f"blockIO.{key}", name), word: value}
            for path, value in getattr(wanted, field)
        ]
        if listed:
            yield key, listed


def _number_of(path: str, setting: str, name: str) -> dict[str, int]:
    try:
        found = os.stat(path)
    except OSError as error:
        raise _refused(name, setting, f"{path}: {error.strerror}:", None) from None
    if not stat.S_ISBLK(found.st_mode):
        raise _refused(name, setting, f"{path}, which is no block device,", None)
    return {"major": os.major(found.st_rdev), "minor": os.minor(found.st_rdev)}


def _check(
    name: str, setting: str, value: float, least: float, most: float | None = None, *, hint: str
) -> None:
    """Below zero means without limit, where there is no upper bound."""
    if (value < least and not (value < 0 and most is None)) or (most is not None and value > most):
        raise _refused(name, setting, f"{setting} = {value:.12g}", hint)


def _refused(name: str, setting: str, what: str, hint: str | None) -> ContainerProblem:
    problem = ContainerProblem(
        f"container {name}: {what} cannot be set", hint=hint, code="limit-refused"
    )
    problem.setting = setting
    return problem
