"""`update`: other limits for a container that runs."""

from __future__ import annotations

from engine.oci import cgroup as cgroups
from engine.oci import fields
from engine.oci.errors import OciProblem
from engine.oci.section import read_section
from engine.oci.store import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.oci.log import Log
    from engine.oci.options import Given

# option -> section and key of `linux.resources`
_NUMBERS = {
    "blkio-weight": ("blockIO", "weight"),
    "cpu-period": ("cpu", "period"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-burst": ("cpu", "burst"),
    "cpu-share": ("cpu", "shares"),
    "cpu-rt-period": ("cpu", "realtimePeriod"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime"),
    "cpu-idle": ("cpu", "idle"),
    "memory": ("memory", "limit"),
    "memory-reservation": ("memory", "reservation"),
    "memory-swap": ("memory", "swap"),
    "pids-limit": ("pids", "limit"),
}
_TEXTS = {"cpuset-cpus": ("cpu", "cpus"), "cpuset-mems": ("cpu", "mems")}


def run(root: str, given: Given, log: Log) -> int:
    """The verb."""
    container = find(root, given.arguments[0])
    if container.status() == "stopped":
        raise OciProblem("container not running", code="not-running")
    path = given.text("resources")
    resources = _read(path) if path else _from_options(given)
    cgroups.update(cgroups.cgroup_of(container.config()), resources)
    return 0


def _read(path: str) -> dict[str, Any]:
    """Devices stay as they are: nobody updates those, and callers hand in what they have."""
    resources = fields.resources(read_section(0 if path == "-" else path, "linux.resources"))
    resources.pop("devices", None)
    return resources


def _from_options(given: Given) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    for option, (section, key) in _NUMBERS.items():
        number = given.number(option)
        if number is not None:
            resources.setdefault(section, {})[key] = number
    for option, (section, key) in _TEXTS.items():
        if given.text(option):
            resources.setdefault(section, {})[key] = given.text(option)
    return resources
