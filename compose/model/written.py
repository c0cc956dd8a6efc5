"""A plain project without what normalisation adds to what the files say (compose-file.md 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.source.paths import PathTable, each
from compose.source.tree import dotted

if TYPE_CHECKING:
    from compose.model.positions import Positions
    from compose.source.tree import Path

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
