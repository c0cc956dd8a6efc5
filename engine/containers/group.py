"""The cgroup of a container, by its launch record."""

from __future__ import annotations

from engine.cgroups.cgroup import Cgroup
from engine.cgroups.hierarchy import Hierarchies
from engine.containers.statefile import CONFIG_NAME, read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.state.paths import Roots


def cgroup_of(ours: dict[str, Any]) -> Cgroup:
    """By the `buoy` section of the record."""
    return Cgroup(
        Hierarchies.detect(),
        ours["cgroup_parent"],
        ours["id"],
        keep_parent=ours["keep_cgroup_parent"],
    )


def find_cgroup(roots: Roots, container_id: str) -> Cgroup:
    """By id. A container without a launch record was not started since the machine was."""
    config = read_json(f"{roots.container_run(container_id)}/{CONFIG_NAME}")
    if config is not None:
        return cgroup_of(config["buoy"])
    return Cgroup(Hierarchies.detect(), roots.kernel_name, container_id)
