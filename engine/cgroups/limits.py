"""`linux.resources` of the OCI runtime specification, written to the files of one group."""

from __future__ import annotations

import errno
import os

from engine.cgroups import cpu, cpuset, devices, hugetlb, io, memory, pids
from engine.cgroups.controls import Controls, LimitRefused
from engine.cgroups.hierarchy import V2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.cgroups.hierarchy import Hierarchies

_SECTIONS = (  # section, controllers by version, what sets it
    ("memory", ("memory", "memory"), memory.limit),
    ("cpu", ("cpu", "cpu"), cpu.limit),
    ("cpu", ("cpuset", "cpuset"), cpuset.limit),
    ("pids", ("pids", "pids"), pids.limit),
    ("blockIO", ("blkio", "io"), io.limit),
    ("hugepageLimits", ("hugetlb", "hugetlb"), hugetlb.limit),
)
_BUILT = {"devices", "unified", *(section for section, _, _ in _SECTIONS)}


def apply(
    hierarchies: Hierarchies, directories: dict[str, str], resources: dict[str, Any]
) -> list[tuple[str, str]]:
    """Set what `resources` names and leave the rest as it is: for a new group and for a live one.

    Returns (setting, why) for each limit that this kernel has nothing for: it is discarded, as
    with Docker. Raises LimitRefused for a value that the kernel does not take, for CPU time
    without a cpu controller, and for `unified` without cgroup v2.
    """
    discarded: list[tuple[str, str]] = []
    for section, names, limit in _SECTIONS:
        wanted: Any = resources.get(section)
        if wanted:
            directory, version = _find(hierarchies, directories, names)
            limit(Controls(directory, version, discarded), wanted)
    others = (section for section in resources if section not in _BUILT and resources[section])
    discarded += ((section, "there is no such controller here") for section in others)
    if "devices" in resources:
        devices.limit(hierarchies, directories, resources["devices"])
    if resources.get("unified"):
        _set_unified(directories.get(V2), resources["unified"])
    return discarded


def _find(
    hierarchies: Hierarchies, directories: dict[str, str], names: tuple[str, str]
) -> tuple[str, int]:
    """The group's directory that has a controller, and its version; 0 where none has."""
    if names[0] in hierarchies.v1:
        return directories[names[0]], 1
    if V2 in directories and names[1] in hierarchies.v2_controllers():
        return directories[V2], 2
    return "", 0


def _set_unified(directory: str | None, values: dict[str, str]) -> None:
    """Files of v2 by their names; the kernel takes one line at a time."""
    for name, value in values.items():
        setting = f"unified.{name}"
        if directory is None:
            raise LimitRefused(setting, errno.ENOTSUP, f"{name} needs cgroup v2")
        if "/" in name or not os.path.exists(f"{directory}/{name}"):
            what = f"there is no {name} here: its controller is not available"
            raise LimitRefused(setting, errno.ENOTSUP, what)
        for line in value.splitlines() or [""]:
            Controls(directory, 2, []).put(setting, line, name)
