"""Where each part of a project was written."""

from __future__ import annotations

from compose.model.record import Record


class Positions(Record):
    """`file:line:column` of the nodes of a project, by dotted path.

    table   one line for each: path, tab, position; read only when something is asked
    """

    table: str = ""

    def paths(self) -> set[str]:
        """The paths of all nodes that the files have."""
        return {line.partition("\t")[0] for line in self.table.splitlines()}

    def find(self, path: str) -> str | None:
        """Position of `services.web.image`, or of the nearest node around it that has one."""
        known = dict(line.split("\t") for line in self.table.splitlines())
        while path and path not in known:
            path = path.rpartition(".")[0]
        return known.get(path)
