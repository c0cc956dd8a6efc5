"""Which keys of the format Buoy carries out, refuses for now, or leaves without effect.

The schema describes the whole format; a key that is not in these tables is built. Values that are
not built (a driver, a mount type) are refused where they are read, in `compose.model`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import NotBuilt
from compose.source.paths import PathTable, below, each
from compose.source.schema import Finding
from compose.source.tree import Map, Mark, Path, Seq, Value, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVICE = "services.*"
_BUILD = "services.*.build"
_DEPLOY = "services.*.deploy"
_NOT_BUILT: PathTable[bool] = PathTable(
    each(
        [
            *("configs", "secrets", "models"),
            *below(_SERVICE, "provider use_api_socket label_file models runtime"),
            *below(_SERVICE, "external_links volumes_from pre_start post_start pre_stop"),
            *below(_SERVICE, "develop configs secrets pull_refresh_after"),
            *below(_SERVICE, "cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpuset"),
            *below(_SERVICE, "mem_swappiness oom_kill_disable blkio_config"),
            *below(_SERVICE, "cgroup cgroup_parent devices device_cgroup_rules gpus storage_opt"),
            *below(_SERVICE, "userns_mode uts ipc pid mac_address"),
            *below(_DEPLOY, "resources.reservations.devices"),
            *below(_BUILD, "additional_contexts no_cache_filter extra_hosts shm_size ulimits"),
            *below(_BUILD, "privileged entitlements secrets ssh platforms"),
            *below(f"{_SERVICE}.networks.*", "interface_name ipv6_address link_local_ips"),
            *below(f"{_SERVICE}.networks.*", "driver_opts"),
            *below(f"{_SERVICE}.volumes.[]", "volume.subpath volume.labels image"),
            *below("networks.*.ipam", "options config.[].aux_addresses"),
        ],
        value=True,
    )
)
_INSTEAD = {"cpu_period": "write `cpus`", "cpu_quota": "write `cpus`"}
_WITHOUT_EFFECT: PathTable[str] = PathTable(
    {
        **each(below(_SERVICE, "isolation cpu_count cpu_percent credential_spec"), "is of Windows"),
        **each(below(_BUILD, "isolation"), "is of Windows"),
        **each(below(_BUILD, "cache_from cache_to provenance sbom"), "is not used"),
        **each(
            [
                *below(_DEPLOY, "mode endpoint_mode labels placement update_config"),
                *below(_DEPLOY, "rollback_config restart_policy.delay restart_policy.window"),
                *below(f"{_DEPLOY}.resources.reservations", "cpus generic_resources"),
            ],
            "counts in clusters only",
        ),
    }
)


def refused(tree: Map) -> list[Finding]:
    """The keys of `tree` that Compose knows and Buoy has not built yet."""
    found = []
    for path, mark in _keys(tree, ()):
        if _NOT_BUILT.find(path):
            what = f"`{dotted(path)}` is not built yet"
            hint = _INSTEAD.get(str(path[-1]))
            found.append(Finding(path, NotBuilt(what, where=str(mark), hint=hint)))
    return found


def without_effect(tree: Map) -> Iterator[tuple[Mark, str]]:
    """The keys of `tree` that change nothing here: where each is, and a sentence about it."""
    for path, mark in _keys(tree, ()):
        reason = _WITHOUT_EFFECT.find(path)
        if reason is not None:
            yield mark, f"`{dotted(path)}` {reason}: it has no effect"


def _keys(value: Value, path: Path) -> Iterator[tuple[Path, Mark]]:
    """Every key of every mapping."""
    if isinstance(value, Map):
        for key, inner in value.items():
            yield (*path, key), value.keys_at[key]
            yield from _keys(inner, (*path, key))
    elif isinstance(value, Seq):
        for index, inner in enumerate(value):
            yield from _keys(inner, (*path, index))
