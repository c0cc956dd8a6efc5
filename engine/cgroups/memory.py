"""The memory controller."""

from __future__ import annotations

import os

from engine.cgroups.hierarchy import V2, Hierarchies, read_counters, write_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def limit(directory: str, version: int, memory: dict[str, Any]) -> None:
    """Set `limit`, `reservation` and `swap` (memory and swap together), in bytes; -1 unlimited.

    Source: OCI runtime-spec config-linux "memory"; kernel cgroup-v1/memory.rst, cgroup-v2.rst.
    """
    settings = _v1(memory) if version == 1 else _v2(memory)
    for name, value in settings:
        if name in _OPTIONAL and not os.path.exists(f"{directory}/{name}"):
            continue  # a kernel without swap accounting has nothing to limit
        write_value(directory, name, value)


_OPTIONAL = {"memory.swap.max", "memory.memsw.limit_in_bytes"}


def _v1(memory: dict[str, Any]) -> list[tuple[str, str]]:
    """In the order that a new group needs: the sum may not be below the limit."""
    names = {
        "limit": "memory.limit_in_bytes",
        "swap": "memory.memsw.limit_in_bytes",
        "reservation": "memory.soft_limit_in_bytes",
    }
    return [(name, str(memory[key])) for key, name in names.items() if memory.get(key) is not None]


def _v2(memory: dict[str, Any]) -> list[tuple[str, str]]:
    settings = []
    if memory.get("limit") is not None:
        settings.append(("memory.max", _or_max(memory["limit"])))
    if memory.get("swap") is not None:
        both, own = memory["swap"], memory.get("limit") or 0
        settings.append(("memory.swap.max", "max" if both < 0 else str(max(0, both - own))))
    if memory.get("reservation") is not None:
        settings.append(("memory.low", _or_max(memory["reservation"])))
    return settings


def _or_max(value: int) -> str:
    return "max" if value < 0 else str(value)


def oom_kills(hierarchies: Hierarchies, directories: dict[str, str]) -> int:
    """Processes killed for want of memory so far."""
    if "memory" in hierarchies.v1:
        return read_counters(f"{directories['memory']}/memory.oom_control").get("oom_kill", 0)
    if V2 in directories:
        return read_counters(f"{directories[V2]}/memory.events").get("oom_kill", 0)
    return 0
