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
_NOT_BUILT: PathTable[str] = PathTable(
    {
        **each(("include", "configs", "secrets", "models"), ""),
        **each(below(_SERVICE, "extends provider use_api_socket label_file models"), ""),
        **each(below(_SERVICE, "external_links volumes_from pre_start post_start pre_stop"), ""),
        **each(below(_SERVICE, "develop configs secrets runtime pull_refresh_after"), ""),
        **each(below(_SERVICE, "cpu_period cpu_quota"), "write `cpus` instead"),
        **each(below(_SERVICE, "cpu_rt_period cpu_rt_runtime cpuset mem_swappiness"), ""),
        **each(below(_SERVICE, "oom_kill_disable blkio_config cgroup cgroup_parent"), ""),
        **each(below(_SERVICE, "devices device_cgroup_rules gpus storage_opt"), ""),
        **each(below(_SERVICE, "userns_mode uts ipc pid mac_address"), ""),
        **each(below(_SERVICE, "deploy.resources.reservations.devices"), ""),
        **each(below(f"{_SERVICE}.build", "additional_contexts no_cache_filter extra_hosts"), ""),
        **each(below(f"{_SERVICE}.build", "privileged entitlements secrets ssh platforms"), ""),
        **each(below(f"{_SERVICE}.build", "shm_size ulimits"), ""),
        **each(below(f"{_SERVICE}.networks.*", "interface_name ipv6_address link_local_ips"), ""),
        **each(below(f"{_SERVICE}.networks.*", "driver_opts"), ""),
        **each(below(f"{_SERVICE}.volumes.[]", "volume.subpath volume.labels image"), ""),
        **each(below("networks.*.ipam", "options config.[].aux_addresses"), ""),
    }
)
_ELSEWHERE = "counts in clusters only"
_WITHOUT_EFFECT: PathTable[str] = PathTable(
    {
        **each(below(_SERVICE, "isolation cpu_count cpu_percent credential_spec"), "is of Windows"),
        **each(below(f"{_SERVICE}.build", "isolation"), "is of Windows"),
        **each(below(f"{_SERVICE}.build", "cache_from cache_to provenance sbom"), "is not used"),
        **each(below(f"{_SERVICE}.deploy", "mode endpoint_mode labels placement"), _ELSEWHERE),
        **each(below(f"{_SERVICE}.deploy", "update_config rollback_config"), _ELSEWHERE),
        **each(below(f"{_SERVICE}.deploy", "restart_policy.delay restart_policy.window"), ""),
        **each(
            below(f"{_SERVICE}.deploy.resources.reservations", "cpus generic_resources"),
            _ELSEWHERE,
        ),
    }
)


def refused(tree: Map) -> list[Finding]:
    """The keys of `tree` that Compose knows and Buoy has not built yet."""
    found = []
    for path, mark in _keys(tree, ()):
        hint = _NOT_BUILT.find(path)
        if hint is not None:
            what = f"`{dotted(path)}` is not built yet"
            found.append(Finding(path, NotBuilt(what, where=str(mark), hint=hint or None)))
    return found


def without_effect(tree: Map) -> Iterator[tuple[Mark, str]]:
    """The keys of `tree` that change nothing here: where each is, and a sentence about it."""
    for path, mark in _keys(tree, ()):
        reason = _WITHOUT_EFFECT.find(path)
        if reason is not None:
            yield mark, f"`{dotted(path)}` {reason or _ELSEWHERE}: it has no effect"


def _keys(value: Value, path: Path) -> Iterator[tuple[Path, Mark]]:
    """Every key of every mapping."""
    if isinstance(value, Map):
        for key, inner in value.items():
            yield (*path, key), value.keys_at[key]
            yield from _keys(inner, (*path, key))
    elif isinstance(value, Seq):
        for index, inner in enumerate(value):
            yield from _keys(inner, (*path, index))
