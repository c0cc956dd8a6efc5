"""Where everything in a project comes from, as a record of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from compose.model.positions import Positions
from compose.source.tree import dotted, overridden, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from compose.source.dotenv import Setting
    from compose.source.tree import Map


def positions_of(tree: Map, services: Mapping[str, Sequence[Setting]]) -> Positions:
    """The positions of a tree and of the variables of its services.

    services   by path of a service, all that sets a variable of it, the weakest first
    """
    table = [_line(dotted(path), str(mark)) for path, mark in walk(tree, tree.mark) if path]
    former = [_line(dotted(path), str(one.mark), one.value) for path, one in overridden(tree)]
    passed = []
    for path, (last, *weaker) in _variables(services):
        table.append(_line(path, last.where))
        former += [_line(path, setting.where, setting.value) for setting in weaker]
        if last.passed_from:
            passed.append(_line(path, last.passed_from))
    return Positions(table="\n".join(table), former="\n".join(former), passed="\n".join(passed))


def _variables(
    services: Mapping[str, Sequence[Setting]],
) -> Iterator[tuple[str, list[Setting]]]:
    """Every variable of every service with what sets it, the strongest first."""
    for service, settings in services.items():
        found: dict[str, list[Setting]] = {}
        for setting in reversed(settings):
            found.setdefault(f"{service}.environment.{setting.name}", []).append(setting)
        yield from found.items()


_NOTHING = object()


def _line(path: str, where: str, value: object = _NOTHING) -> str:
    """Columns of a table; tabs and line ends in names would make others of them."""
    columns = [path, where] if value is _NOTHING else [path, where, json.dumps(value)]
    return "\t".join(" ".join(column.split("\t")).replace("\n", " ") for column in columns)
