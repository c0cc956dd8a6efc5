"""Which keys of the format Buoy carries out, cannot yet, or leaves without effect.

The schema describes the whole format; a key that is not in these tables is built. Values that are
not built (a driver, a mount type) are found where they are read, in `compose.model`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import NotBuilt
from compose.source.cache_entries import is_used
from compose.source.paths import PathTable, below, each
from compose.source.tree import Map, Mark, Path, Seq, Value, dotted, find

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVICE = "services.*"
_BUILD = "services.*.build"
_DEPLOY = "services.*.deploy"
_NOT_BUILT: PathTable[bool] = PathTable(
    each(
        [
            *below(_SERVICE, "provider use_api_socket models"),
            *below(_SERVICE, "storage_opt"),
            *below(f"{_SERVICE}.volumes.[]", "volume.labels"),
            *below("networks.*.ipam", "options"),
        ],
        value=True,
    )
)
_MOUNT_OPTIONS = ("bind", "volume", "tmpfs", "image")
_WITHOUT_EFFECT: PathTable[str] = PathTable(
    {
        **each(below(_SERVICE, "isolation cpu_count cpu_percent credential_spec"), "is of Windows"),
        **each(below(_SERVICE, "pull_refresh_after"), "is not used"),
        **each(below(_BUILD, "isolation"), "is of Windows"),
        **each(below(_BUILD, "provenance sbom"), "is not used"),
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


def not_built(tree: Map) -> Iterator[NotBuilt]:
    """The keys of `tree` that Compose knows and Buoy has not built yet."""
    for path, mark in _keys(tree, ()):
        if _NOT_BUILT.find(path):
            what = f"`{dotted(path)}` is not built yet"
            yield NotBuilt(what, where=str(mark), path=path)


def without_effect(tree: Map) -> Iterator[tuple[Mark, str]]:
    """The keys of `tree` that change nothing here: where each is, and a sentence about it."""
    for path, mark in _keys(tree, ()):
        reason = (
            _WITHOUT_EFFECT.find(path) or _of_another_type(tree, path) or _elsewhere(tree, path)
        )
        if reason is not None:
            yield mark, f"`{dotted(path)}` {reason}: it has no effect"


def _of_another_type(tree: Map, path: Path) -> str | None:
    """Why options of a mount do not count: they are for mounts of another type."""
    if len(path) != 5 or path[2] != "volumes" or path[4] not in _MOUNT_OPTIONS:
        return None
    kind = find(tree, (*path[:-1], "type"))
    return None if kind == path[4] else f"is not for a mount of type `{kind}`"


def _elsewhere(tree: Map, path: Path) -> str | None:
    """Why a cache of a build does not count: it is kept by another service, or nowhere."""
    if len(path) != 4 or path[-1] not in ("cache_from", "cache_to"):
        return None
    entries = find(tree, path)
    listed = entries if isinstance(entries, Seq) else []
    others = [str(entry) for entry in listed if not is_used(str(entry), str(path[-1]))]
    return f"is not for `{others[0]}`" if others else None


def _keys(value: Value, path: Path) -> Iterator[tuple[Path, Mark]]:
    """Every key of every mapping."""
    if isinstance(value, Map):
        for key, inner in value.items():
            yield (*path, key), value.keys_at[key]
            yield from _keys(inner, (*path, key))
    elif isinstance(value, Seq):
        for index, inner in enumerate(value):
            yield from _keys(inner, (*path, index))
