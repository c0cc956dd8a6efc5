"""`buoy config --origin`: beside each value where it comes from, and what it overrode."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from compose.source.tree import Map, Seq, dotted
from compose.source.write import to_yaml
from compose.source.yaml import parse_documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from compose.model.positions import Former, Positions
    from compose.source.tree import Path, Value

DEFAULT = "default"
LONGEST = 40
# Keys that a project has under another name than its files: where they are looked for.
_WRITTEN_AS = {
    "scale": ("deploy.replicas",),
    "cpus": ("deploy.resources.limits.cpus",),
    "mem_limit": ("deploy.resources.limits.memory",),
    "mem_reservation": ("deploy.resources.reservations.memory",),
    "pids_limit": ("deploy.resources.limits.pids",),
    "restart": ("deploy.restart_policy.condition", "deploy.restart_policy"),
}


class Origins:
    """Where the values of a project come from, by path."""

    def __init__(self, positions: Positions) -> None:
        self._known = positions.exact()
        self._former = positions.overridden()
        self._passed = positions.passed_from()

    def where(self, path: Path) -> str:
        """`file:line:column`; `default` where no file says it."""
        for name in self._names(path):
            if name in self._known:
                via = f" from {self._passed[name]}" if name in self._passed else ""
                return self._known[name] + via
        return DEFAULT

    def former(self, path: Path) -> Sequence[Former]:
        """What a value overrode, the last one first."""
        return next((self._former[name] for name in self._names(path) if name in self._former), ())

    def _names(self, path: Path) -> Iterator[str]:
        """The paths that a value may have in the files."""
        yield dotted(path)
        if path[:1] == ("services",) and len(path) == 3:
            for written in _WRITTEN_AS.get(str(path[2]), ()):
                yield dotted((*path[:2], written))


def to_commented_yaml(plain: dict[str, Any], positions: Positions) -> str:
    """YAML with the origins as comments; without them it is what `config` prints."""
    origins = Origins(positions)
    text = to_yaml(plain)
    (tree,) = parse_documents(text, "")
    notes = {leaf.line: _comment(origins, leaf) for leaf in _leaves(tree, ())}
    lines = text.split("\n")
    width = min(max((len(lines[number - 1]) for number in notes), default=0), 60)
    for number, note in notes.items():
        lines[number - 1] = f"{lines[number - 1]:<{width}}  # {note}"
    return "\n".join(lines)


class _Leaf(NamedTuple):
    """A value that contains no others, the line it begins in, and the values it is the first of."""

    path: Path
    line: int
    heads: tuple[Path, ...]


def _leaves(value: Value, path: Path, heads: tuple[Path, ...] = ()) -> Iterator[_Leaf]:
    entries: list[tuple[str | int, Value, int]] = []
    if isinstance(value, Map):
        entries = [(key, inner, value.values_at[key].line) for key, inner in value.items()]
    elif isinstance(value, Seq):
        entries = [(index, inner, mark.line) for index, (inner, mark) in enumerate(value.items())]
    for number, (key, inner, line) in enumerate(entries):
        inside = (*path, key)
        begun = (*(heads if number == 0 else ()), inside)
        if isinstance(inner, Map | Seq) and inner:
            yield from _leaves(inner, inside, begun)
        else:
            yield _Leaf(inside, line, begun)


def _comment(origins: Origins, leaf: _Leaf) -> str:
    former = [
        f"{_short(one.value)} ({one.where})" for path in leaf.heads for one in origins.former(path)
    ]
    instead = f", instead of {', '.join(former)}" if former else ""
    return origins.where(leaf.path) + instead


def _short(value: object) -> str:
    plain = isinstance(value, str) and value and value.isprintable()
    text = str(value) if plain else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def to_origin_json(plain: Mapping[str, Any], positions: Positions) -> str:
    """A list of objects, one for each value."""
    origins = Origins(positions)
    found = [
        {
            "path": dotted(path),
            "value": value,
            "where": origins.where(path),
            "insteadOf": [{"value": one.value, "where": one.where} for one in origins.former(path)],
        }
        for path, value in _values(plain, ())
    ]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _values(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        if isinstance(inner, dict | list) and inner:
            yield from _values(inner, (*path, key))
        else:
            yield (*path, key), inner
