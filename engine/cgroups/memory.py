"""The memory controller."""

from __future__ import annotations

import errno

from engine.cgroups.controls import LimitRefused
from engine.cgroups.hierarchy import read_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.cgroups.controls import Controls


def limit(controls: Controls, memory: dict[str, Any]) -> None:
    """Set `limit`, `reservation`, `swap` (memory and swap together): bytes, -1 is unlimited;
    `swappiness`, `disableOOMKiller`, `checkBeforeUpdate`.

    Source: OCI runtime-spec config-linux "memory"; kernel cgroup-v1/memory.rst, cgroup-v2.rst.
    """
    if memory.get("checkBeforeUpdate"):
        _check(controls, memory.get("limit"))
    (_limit_v2 if controls.version == 2 else _limit_v1)(controls, memory)
    for key in ("kernel", "kernelTCP"):
        if memory.get(key) is not None:
            controls.discard(f"memory.{key}", "kernels of today count it with the rest")


def _limit_v1(controls: Controls, memory: dict[str, Any]) -> None:
    for setting, value, name in _ordered(controls, memory.get("limit"), memory.get("swap")):
        if value is not None:
            controls.put(setting, value, name)
    reservation, swappiness = memory.get("reservation"), memory.get("swappiness")
    if reservation is not None:
        controls.put("memory.reservation", reservation, "memory.soft_limit_in_bytes")
    if swappiness is not None:
        controls.put("memory.swappiness", swappiness, "memory.swappiness")
    if memory.get("disableOOMKiller") is not None:
        disabled = int(memory["disableOOMKiller"])
        controls.put("memory.disableOOMKiller", disabled, "memory.oom_control")


def _ordered(
    controls: Controls, limit: int | None, swap: int | None
) -> list[tuple[str, int | None, str]]:
    """Memory and the sum, in the order that leaves the sum at no moment below the memory."""
    memory_first = [
        ("memory.limit", limit, "memory.limit_in_bytes"),
        ("memory.swap", swap, "memory.memsw.limit_in_bytes"),
    ]
    present = read_words(f"{controls.directory}/memory.limit_in_bytes")
    both = controls.has("memory.memsw.limit_in_bytes")
    if limit == -1 and swap is None and both:
        return [("memory.swap", -1, "memory.memsw.limit_in_bytes"), memory_first[0]]
    if swap == -1 and not both:
        return memory_first[:1]  # it is unlimited as it is
    if limit and swap and present and (swap == -1 or int(present[0]) < swap):
        return memory_first[::-1]
    return memory_first


def _limit_v2(controls: Controls, memory: dict[str, Any]) -> None:
    limit, swap = memory.get("limit"), memory.get("swap")
    if limit == -1 and swap is None:
        swap = -1
    if swap is not None:
        value = _swap_v2(controls, limit, swap)
        if value != "max" or controls.has("memory.swap.max"):
            controls.put("memory.swap", value, "memory.swap.max")
    if limit is not None:
        controls.put("memory.limit", _or_max(limit), "memory.max")
    if memory.get("reservation") is not None:
        controls.put("memory.reservation", _or_max(memory["reservation"]), "memory.low")
    for key in ("swappiness", "disableOOMKiller"):
        if memory.get(key):
            controls.discard(f"memory.{key}", "cgroup v2 has no such setting")


def _swap_v2(controls: Controls, limit: int | None, swap: int) -> str:
    """What of the sum is swap: v2 counts it apart."""
    if swap < 0:
        return "max"
    present = read_words(f"{controls.directory}/memory.max")
    if limit is None and present and present[0].isdigit():
        limit = int(present[0])
    if limit is None or limit < 0:
        raise LimitRefused("memory.swap", errno.EINVAL, "a swap limit needs a memory limit")
    return str(max(0, swap - limit))


def _or_max(value: int) -> str:
    return "max" if value < 0 else str(value)


def _check(controls: Controls, limit: int | None) -> None:
    """A limit below what is in use would have processes killed on v2, and fails on v1."""
    name = "memory.current" if controls.version == 2 else "memory.usage_in_bytes"
    used = read_words(f"{controls.directory}/{name}")
    if limit and used and 0 < limit < int(used[0]):
        what = f"{used[0]} bytes are in use: it cannot be limited to {limit}"
        raise LimitRefused("memory.limit", errno.EBUSY, what)
