"""A plain project without what normalisation adds to what the files say (compose-file.md 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.source.paths import PathTable, below, each
from compose.source.tree import dotted, find

if TYPE_CHECKING:
    from compose.model.positions import Positions
    from compose.source.tree import Map, Path

_ADDED: PathTable[bool] = PathTable(
    each(
        [
            *("services.*.networks", "services.*.depends_on.*", "services.*.build.dockerfile"),
            *("networks.*", "networks.*.name", "volumes.*.name"),
            *("configs.*.name", "secrets.*.name"),
        ],
        value=True,
    )
)
_PATHS: PathTable[bool] = PathTable(
    each(
        [
            *below("services.*", "env_file.[].path label_file.[] volumes.[].source"),
            *below("services.*.build", "context additional_contexts.* ssh.*"),
            *("services.*.develop.watch.[].path", "volumes.*.driver_opts.device"),
            *("configs.*.file", "secrets.*.file"),
        ],
        value=True,
    )
)


def as_written(plain: dict[str, Any], positions: Positions) -> dict[str, Any]:
    """The plain project without names, networks and dependencies that no file has."""
    written = positions.paths()

    def keep(path: Path) -> bool:
        return not _ADDED.find(path) or dotted(path) in written

    def pruned(value: Any, path: Path) -> Any:
        if not isinstance(value, dict) or not value:
            return value
        kept = {
            key: pruned(inner, (*path, key)) for key, inner in value.items() if keep((*path, key))
        }
        if len(path) != 1:  # resources stay, as null, when nothing of them is left
            kept = {
                key: inner for key, inner in kept.items() if inner is not None or not value[key]
            }
        return kept or None

    return pruned(plain, ()) or {}


def leave_paths(plain: dict[str, Any], tree: Map) -> None:
    """Put relative paths back into a plain project, as `tree` has them."""
    for key, inner in plain.items():
        plain[key] = _left(inner, (key,), tree)


def _left(value: Any, path: Path, tree: Map) -> Any:
    if isinstance(value, dict):
        return {key: _left(inner, (*path, key), tree) for key, inner in value.items()}
    if isinstance(value, list):
        return [_left(inner, (*path, index), tree) for index, inner in enumerate(value)]
    written = find(tree, path) if _PATHS.find(path) else None
    return written if isinstance(written, str) else value
