"""Where each part of a project was written."""

from __future__ import annotations

import json

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Former(Record):
    """A value that was overridden, and where it is written."""

    value: Any
    where: str


class Positions(Record):
    """`file:line:column` of the nodes of a project, by dotted path.

    table    one line for each: path, tab, position; read only when something is asked
    former   path, position, value as JSON of what was overridden, the strongest first
    passed   path, where the value of a variable that is passed on comes from
    """

    table: str = ""
    former: str = ""
    passed: str = ""

    def paths(self) -> set[str]:
        """The paths of all nodes that the files have."""
        return {path for path, _ in _columns(self.table)}

    def find(self, path: str) -> str | None:
        """Position of `services.web.image`, or of the nearest node around it that has one."""
        table = f"\n{self.table}"
        while path:
            _, found, rest = table.partition(f"\n{path}\t")
            if found:
                return rest.partition("\n")[0]
            path = path.rpartition(".")[0]
        return None

    def exact(self) -> dict[str, str]:
        """Positions by path."""
        return dict(_columns(self.table))

    def overridden(self) -> dict[str, list[Former]]:
        """What was overridden, by path; the strongest first."""
        found: dict[str, list[Former]] = {}
        for path, where, text in _columns(self.former):
            found.setdefault(path, []).append(Former(value=json.loads(text), where=where))
        return found

    def passed_from(self) -> dict[str, str]:
        """Of variables that are passed on, where their values come from: `shell`, or a place."""
        return dict(_columns(self.passed))


def _columns(table: str) -> Iterator[list[str]]:
    return (line.split("\t") for line in table.split("\n") if line)
