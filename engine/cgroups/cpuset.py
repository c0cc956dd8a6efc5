"""The cpuset controller: which CPUs and memory nodes may be used."""

from __future__ import annotations

import os

from engine.cgroups.hierarchy import read_words, write_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.cgroups.controls import Controls


def limit(controls: Controls, cpu: dict[str, Any]) -> None:
    """Set `cpus` and `mems`, lists as `0-3,5`. The same files on v1 and v2.

    Source: OCI runtime-spec config-linux "cpu"; kernel cgroup-v1/cpusets.rst, cgroup-v2.rst.
    """
    for key in ("cpus", "mems"):
        if cpu.get(key):
            controls.put(f"cpu.{key}", cpu[key], f"cpuset.{key}", key)  # `key`: noprefix


def inherit(directory: str) -> None:
    """A new v1 cpuset is empty and takes no tasks until it has CPUs and memory nodes."""
    parent = os.path.dirname(directory)
    for key in ("cpus", "mems"):
        name = f"cpuset.{key}" if os.path.exists(f"{directory}/cpuset.{key}") else key
        if not read_words(f"{directory}/{name}"):
            write_value(directory, name, " ".join(read_words(f"{parent}/{name}")))
