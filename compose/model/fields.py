"""Typed access to a checked tree, noting problems with their positions as they are met."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from compose.errors import Conflict, FileMissing, InvalidValue, NotBuilt, ProjectProblem
from compose.model.record import Record
from compose.source.extensions import extensions_of
from compose.source.tree import Map, Path, Seq, Value, dotted, locate
from compose.source.values import parse_duration, parse_size, text_of, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

N = TypeVar("N", int, float)
R = TypeVar("R", bound=Record)


def or_none(record: R) -> R | None:
    """The record; None for one that says nothing, as of an empty mapping."""
    return record if record.given() else None


class Fields:
    """One mapping of the tree.

    The schema has refused values of a wrong type and taken them out of the tree: what is not of
    the type that is asked for reads as absent.
    """

    def __init__(self, root: Map, path: Path, problems: list[ProjectProblem], node: Value) -> None:
        self.root, self.path, self.problems = root, path, problems
        self.tree = node if isinstance(node, Map) else Map(locate(root, path))

    def __contains__(self, key: str) -> bool:
        return key in self.tree

    def where(self, *inner: str | int, key: bool = False) -> str:
        """Position of a node inside, or with `key` of its key."""
        return str(locate(self.root, (*self.path, *inner), key=key))

    def name(self, *inner: str | int) -> str:
        """Dotted path of a node inside."""
        return dotted((*self.path, *inner))

    def note(
        self, problem: type[ProjectProblem], what: str, *inner: str | int, hint: str | None = None
    ) -> None:
        """Remember a problem with the node `inner`."""
        self.problems.append(problem(what, where=self.where(*inner), hint=hint))

    def not_built(self, what: str, *inner: str | int, hint: str | None = None) -> None:
        """Remember that a value is one that Compose has and Buoy does not have yet."""
        text = f"`{self.name(*inner)}`: {what} is not built yet"
        where, path = self.where(*inner), (*self.path, *inner)
        self.problems.append(NotBuilt(text, where=where, hint=hint, path=path))

    def missing(self, what: str, *inner: str | int, hint: str | None = None) -> None:
        """Remember a file that is not there: it stops what needs this mapping."""
        where, path = self.where(*inner), (*self.path, *inner)
        self.problems.append(FileMissing(what, where=where, hint=hint, path=path))

    def external(self) -> tuple[bool, str | None]:
        """Whether a resource is external, and the name that the old form of that gives."""
        old = self.given("external")
        if old is None:
            return self.flag("external"), None
        name = old.text("name")
        if name and "name" in self and self.text("name") != name:
            what = f"{self.name()}: `name` and `external.name` differ"
            self.note(Conflict, what, "external", "name")
        return True, name

    def text(self, key: str) -> str | None:
        """A string; a number is written out."""
        value = self.tree.get(key)
        return None if value is None or isinstance(value, Map | Seq) else text_of(value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """A boolean."""
        value = self.tree.get(key)
        return value if isinstance(value, bool) else default

    def integer(self, key: str) -> int | None:
        """A whole number."""
        number = self.number(key)
        if number is not None and number != int(number):
            self.note(InvalidValue, f"{self.name(key)}: {number} is not a whole number", key)
        return None if number is None else int(number)

    def number(self, key: str) -> float | None:
        """A number, an int where it is whole."""
        value = self.tree.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        if not math.isfinite(value):
            self.note(InvalidValue, f"{self.name(key)}: {value} is not a number", key)
            return None
        return whole(value)

    def size(self, key: str) -> int | None:
        """Bytes."""
        return self._parsed(key, parse_size)

    def seconds(self, key: str) -> float | None:
        """A time span in seconds."""
        return self._parsed(key, lambda value: parse_duration(text_of(value)))

    def _parsed(self, key: str, parse: Callable[[str | float], N]) -> N | None:
        value = self.tree.get(key)
        if value is None or isinstance(value, Map | Seq):
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.note(InvalidValue, f"{self.name(key)}: {error}", key)
            return None

    def mode(self, key: str) -> int | None:
        """Permissions: a number as it is, a string in octal."""
        written = self.tree.get(key)
        if not isinstance(written, str):
            return self.integer(key)
        try:
            return int(written, 8)
        except ValueError:
            what = f"{self.name(key)}: `{written}` is not octal, as `0755`"
            self.note(InvalidValue, what, key)
            return None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; numbers are written out."""
        value = self.tree.get(key)
        if not isinstance(value, Seq):
            return ()
        return tuple(text_of(item) for item in value if isinstance(item, str | int | float))

    def words(self, key: str) -> tuple[str, ...] | None:
        """A command; None where the image's counts."""
        return self.texts(key) if isinstance(self.tree.get(key), Seq) else None

    def pairs(self, key: str) -> dict[str, str | None]:
        """A mapping of strings; None for a key without value."""
        value = self.tree.get(key)
        entries = value.items() if isinstance(value, Map) else ()
        return {
            name: None if inner is None or isinstance(inner, Map | Seq) else text_of(inner)
            for name, inner in sorted(entries)
        }

    def labels(self, key: str = "labels") -> dict[str, str]:
        """A mapping of strings, in which a key without value has an empty one."""
        return {name: value or "" for name, value in self.pairs(key).items()}

    def inside(self, key: str) -> Fields:
        """A mapping inside this one; an empty one where there is none."""
        return Fields(self.root, (*self.path, key), self.problems, self.tree.get(key))

    def given(self, key: str) -> Fields | None:
        """A mapping inside this one, if there is one."""
        return self.inside(key) if isinstance(self.tree.get(key), Map) else None

    def named(self, key: str) -> Iterator[tuple[str, Fields]]:
        """The entries of a mapping whose keys the user names; null is an empty one."""
        value = self.tree.get(key)
        for name in sorted(value) if isinstance(value, Map) else ():
            yield name, self.inside(key).inside(name)

    def each(self, key: str) -> Iterator[Fields]:
        """The mappings of a list."""
        value = self.tree.get(key)
        for index, item in enumerate(value) if isinstance(value, Seq) else ():
            yield Fields(self.root, (*self.path, key, index), self.problems, item)

    def extensions(self) -> dict[str, Any]:
        """The `x-` keys, and those of what is inside: see `extensions_of`."""
        return extensions_of(self.tree, self.path)
