"""The control group that `linux.cgroupsPath` names."""

from __future__ import annotations

import os

from engine.cgroups.cgroup import Cgroup
from engine.cgroups.hierarchy import Hierarchies
from engine.containers.devices import default_rules
from engine.oci.errors import OciProblem, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PARENT = "buoy-oci"  # of containers that name no group


def cgroup_of(record: dict[str, Any]) -> Cgroup:
    """Below the mount point of each hierarchy, whether the path is absolute or not."""
    path = record["linux"]["cgroupsPath"] or f"{_PARENT}/{record['buoy']['id']}"
    if path.count(":") == 2 and "/" not in path.rpartition(":")[2]:
        raise Unsupported("linux.cgroupsPath", f"{path} is for systemd's cgroup driver")
    parent, name = os.path.split(os.path.normpath(f"/{path}"))
    if not name:
        raise OciProblem("config.json: linux.cgroupsPath is the root", code="invalid-config")
    return Cgroup(Hierarchies.detect(), parent.strip("/"), name)


def make(cgroup: Cgroup, resources: dict[str, Any]) -> None:
    """With its limits. A limit that cannot be set is an error here. Raises OciProblem, OSError."""
    given = resources.get("devices") or []
    everywhere = default_rules()
    denied, allowed = everywhere[:1], everywhere[1:]
    discarded = cgroup.create({**resources, "devices": [*denied, *given, *allowed]})
    if discarded:
        reasons = "; ".join(f"{setting}: {why}" for setting, why in discarded)
        raise OciProblem(f"config.json: linux.resources: {reasons}", code="cgroup")
