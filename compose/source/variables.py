"""The variables that project files refer to (compose-file.md 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compose.source.template import MAX_DEPTH, Malformed, Reference, scan
from compose.source.tree import Map, Mark, Seq, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(slots=True, kw_only=True)
class Variable:
    """A variable, over all places that refer to it.

    required      a `${NAME:?}` is among them
    default       of the first `${NAME:-default}`
    alternative   of the first `${NAME:+alternative}`
    where         of each, `file:line:column`
    """

    name: str
    required: bool = False
    default: str = ""
    alternative: str = ""
    where: list[str]

    def note(self, reference: Reference) -> None:
        """Take in one more place."""
        match reference.operator[-1:]:
            case "?":
                self.required = True
            case "-":
                self.default = self.default or reference.rest
            case "+":
                self.alternative = self.alternative or reference.rest


def find_variables(documents: Iterable[Map]) -> dict[str, Variable]:
    """The variables of documents that are not interpolated yet, by name, sorted.

    Text that breaks the grammar is passed over: loading the project says what is wrong with it.
    """
    found: dict[str, Variable] = {}
    for document in documents:
        for text, mark in _texts(document, document.mark):
            for reference in references(text):
                variable = found.setdefault(reference.name, Variable(name=reference.name, where=[]))
                variable.note(reference)
                variable.where.append(str(mark))
    return dict(sorted(found.items()))


def _texts(value: Value, mark: Mark) -> Iterator[tuple[str, Mark]]:
    if isinstance(value, Map):
        for key, inner in value.items():
            yield from _texts(inner, value.values_at[key])
    elif isinstance(value, Seq):
        for inner, at in value.items():
            yield from _texts(inner, at)
    elif isinstance(value, str) and "$" in value:
        yield value, mark


def references(text: str, depth: int = 0) -> Iterator[Reference]:
    """The variables of a text, those in defaults after the one that has the default."""
    try:
        parts = list(scan(text))
    except Malformed:
        return
    for part in parts:
        if isinstance(part, Reference):
            yield part
            if part.rest and depth < MAX_DEPTH:
                yield from references(part.rest, depth + 1)
