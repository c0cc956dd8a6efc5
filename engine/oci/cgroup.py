"""The control group that `linux.cgroupsPath` names."""

from __future__ import annotations

import os

from engine.cgroups.cgroup import Cgroup
from engine.cgroups.controls import LimitRefused
from engine.cgroups.hierarchy import Hierarchies
from engine.containers.devices import default_rules
from engine.oci.errors import OciProblem, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PARENT = "buoy-oci"  # of containers that name no group


def cgroup_of(record: dict[str, Any]) -> Cgroup:
    """Below the mount point of each hierarchy, whether the path is absolute or not."""
    path = record["linux"]["cgroupsPath"]
    if path.count(":") == 2 and "/" not in path.rpartition(":")[2]:
        raise Unsupported("linux.cgroupsPath", f"{path} is for systemd's cgroup driver")
    keep_parent = bool(path)
    path = path or f"{_PARENT}/{record['buoy']['id']}"
    parent, name = os.path.split(os.path.normpath(f"/{path}"))
    if not name:
        raise OciProblem("config.json: linux.cgroupsPath is the root", code="invalid-config")
    return Cgroup(Hierarchies.detect(), parent.strip("/"), name, keep_parent=keep_parent)


def on_v2(entry: dict[str, Any], directory: str | None) -> None:
    """Make a mount of type cgroup the one that there is on v2.

    directory  of the container's own group, where it sees the host's namespace of cgroups
    """
    entry["type"], entry["source"] = "cgroup2", "cgroup"
    if directory is not None:
        entry |= {"type": "bind", "source": directory, "options": ["bind", *entry["options"]]}


def make(cgroup: Cgroup, resources: dict[str, Any]) -> None:
    """With its limits, and with the devices that every container may open.

    Raises OciProblem for a limit that cannot be set, OSError.
    """
    given = resources.get("devices") or []
    denied, *allowed = default_rules()
    _check(lambda: cgroup.create({**resources, "devices": [denied, *given, *allowed]}))


def update(cgroup: Cgroup, resources: dict[str, Any]) -> None:
    """Other limits for a live group. Raises OciProblem, OSError."""
    _check(lambda: cgroup.update(resources))


def _check(change: Callable[[], list[tuple[str, str]]]) -> None:
    """A limit that is discarded is an error: who wrote config.json counts on it."""
    try:
        discarded = change()
    except LimitRefused as error:
        raise _refused(error.setting, error.strerror or str(error)) from None
    if discarded:
        raise _refused(*discarded[0])


def _refused(setting: str, why: str) -> OciProblem:
    return OciProblem(f"config.json: linux.resources.{setting}: {why}", code="limit-refused")
