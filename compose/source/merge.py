"""Merging one document onto those before it (compose-file.md 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import Conflict
from compose.source.forms import HOSTS, KEY_VALUES
from compose.source.paths import PathTable, below, each
from compose.source.tree import Map, Mark, Path, Seq, Value, dotted

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.errors import ProjectProblem

_REPLACED: PathTable[bool] = PathTable(
    each(
        [
            *below("services.*", "command entrypoint healthcheck.test ulimits.*"),
            *(f"{pattern}.*" for pattern in KEY_VALUES),
        ],
        value=True,
    )
)


def merge(base: Map, over: Map) -> list[ProjectProblem]:
    """Merge `over` onto `base`, in place. Both are in one form (`forms`).

    Mappings are merged by key, lists appended, scalars replaced; null keeps what is there. Lists
    whose entries have a key are thinned out later, in `unique`. `base` takes over the directives of
    `over`: they count for what it is merged onto itself. Returns Conflict problems.
    """
    merger = _Merger()
    merger.mapping(base, over, ())
    return merger.problems


class _Merger:
    def __init__(self) -> None:
        self.problems: list[ProjectProblem] = []

    def mapping(self, base: Map, over: Map, path: Path) -> None:
        for key in over.directives:
            if key in base:
                base.retire(key)
        base.directives.update(over.directives)
        for key, value in over.items():
            if key in base:
                self._onto(base, key, value, over, (*path, key))
            else:
                base.take(key, over)

    def _onto(self, base: Map, key: str, value: Value, over: Map, path: Path) -> None:
        existing = base[key]
        special = _SPECIAL.find(path)
        if _REPLACED.find(path) or not isinstance(existing, Map | Seq):
            if value is not None or _REPLACED.find(path):
                base.override(key, over)
        elif value is None:
            return
        elif special is not None:
            special(self, existing, value, path)
        elif isinstance(existing, Map) and isinstance(value, Map):
            self.mapping(existing, value, path)
        elif isinstance(existing, Seq) and isinstance(value, Seq):
            for item, mark in value.items():
                existing.add(item, mark)
        else:
            self._conflict(existing, over.values_at[key], path)

    def _conflict(self, existing: Map | Seq, mark: Mark, path: Path) -> None:
        what = "a mapping" if isinstance(existing, Map) else "a list"
        self.problems.append(
            Conflict(
                f"{dotted(path)} is {what} in what this is merged onto: this cannot override it",
                where=str(mark),
                hint="tag the value with `!override` to replace the earlier one",
            )
        )

    def hosts(self, existing: Value, value: Value, path: Path) -> None:
        """Append the entries that are not there literally."""
        if isinstance(existing, Seq) and isinstance(value, Seq):
            for item, mark in value.items():
                if item not in existing:
                    existing.add(item, mark)

    def logging(self, existing: Value, value: Value, path: Path) -> None:
        """Merge deeply for one driver; another driver replaces all."""
        if not isinstance(existing, Map) or not isinstance(value, Map):
            return
        drivers = [block["driver"] for block in (existing, value) if block.get("driver")]
        if len(drivers) == 2 and drivers[0] != drivers[1]:
            for key in list(existing):
                existing.drop(key)
        self.mapping(existing, value, path)

    def subnets(self, existing: Value, value: Value, path: Path) -> None:
        """Merge entries of the same subnet, append the others."""
        if not isinstance(existing, Seq) or not isinstance(value, Seq):
            return
        for item, mark in value.items():
            same = next((known for known in existing if _same_subnet(known, item)), None)
            if isinstance(same, Map) and isinstance(item, Map):
                self.mapping(same, item, (*path, 0))
            else:
                existing.add(item, mark)


def _same_subnet(one: Value, other: Value) -> bool:
    if not isinstance(one, Map) or not isinstance(other, Map):
        return False
    return "subnet" in one and one["subnet"] == other.get("subnet")


_SPECIAL: PathTable[Callable[[_Merger, Value, Value, Path], None]] = PathTable(
    {
        **each(HOSTS, _Merger.hosts),
        "services.*.logging": _Merger.logging,
        "networks.*.ipam.config": _Merger.subnets,
    }
)
