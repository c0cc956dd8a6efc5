"""A parsed file as plain values that remember where they were written.

A Map is a dict and a Seq is a list, so that anything which reads dicts and lists reads them; the
positions of their entries lie beside the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = "Scalar | Map | Seq"
Path: TypeAlias = tuple[str | int, ...]
Directive = Literal["reset", "override"]


class Mark(NamedTuple):
    """A place in a file; line and column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Former(NamedTuple):
    """A value that another one has taken the place of, and where it is written."""

    value: Value
    mark: Mark


class Map(dict[str, Value]):
    """A mapping.

    keys_at, values_at   where each key and each value begins
    directives           keys tagged `!reset` (they have no value here) or `!override`
    former               what merging has overridden, the last one first
    """

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.keys_at: dict[str, Mark] = {}
        self.values_at: dict[str, Mark] = {}
        self.directives: dict[str, Directive] = {}
        self.former: dict[str, tuple[Former, ...]] = {}

    def put(self, key: str, value: Value, mark: Mark, key_mark: Mark | None = None) -> None:
        """Set an entry and its position."""
        self[key] = value
        self.values_at[key] = mark
        self.keys_at[key] = key_mark or mark

    def take(self, key: str, other: Map) -> None:
        """Copy an entry of `other`, with its positions."""
        self.put(key, other[key], other.values_at[key], other.keys_at[key])
        if key in other.former:
            self.former[key] = (*other.former[key], *self.former.get(key, ()))

    def override(self, key: str, other: Map) -> None:
        """As `take`, remembering the entry that is here."""
        self.retire(key)
        self.take(key, other)

    def retire(self, key: str) -> None:
        """Remove an entry, and remember what it was."""
        former = Former(self[key], self.values_at[key])
        self.former[key] = (former, *self.former.get(key, ()))
        self.drop(key)

    def drop(self, key: str) -> None:
        """Remove an entry; its absence is accepted."""
        self.pop(key, None)
        self.keys_at.pop(key, None)
        self.values_at.pop(key, None)


class Seq(list[Value]):
    """A sequence.

    values_at   the position of each item
    former      by index, what an item has taken the place of, the last one first
    """

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.values_at: list[Mark] = []
        self.former: dict[int, tuple[Former, ...]] = {}

    def add(self, value: Value, mark: Mark) -> None:
        """Append an item and its position."""
        self.append(value)
        self.values_at.append(mark)

    def items(self) -> Iterator[tuple[Value, Mark]]:
        """The items with their positions."""
        return zip(self, self.values_at, strict=True)


def copy(value: Value) -> Value:
    """A copy that shares no Map or Seq with `value`."""
    if isinstance(value, Map):
        duplicate = Map(value.mark)
        for key, inner in value.items():
            duplicate.put(key, copy(inner), value.values_at[key], value.keys_at[key])
        duplicate.directives.update(value.directives)
        duplicate.keys_at.update(value.keys_at)
        duplicate.former.update(value.former)
        return duplicate
    if isinstance(value, Seq):
        sequence = Seq(value.mark)
        for inner, mark in value.items():
            sequence.add(copy(inner), mark)
        sequence.former.update(value.former)
        return sequence
    return value


def settled(value: Value) -> Value:
    """A copy in which `!reset` and `!override` have done their work."""
    duplicate = copy(value)
    _settle(duplicate)
    return duplicate


def _settle(value: Value) -> None:
    if isinstance(value, Map):
        value.directives.clear()
        for inner in value.values():
            _settle(inner)
    elif isinstance(value, Seq):
        for inner in value:
            _settle(inner)


def size(value: Value) -> int:
    """The number of nodes in a tree."""
    if isinstance(value, Map):
        return 1 + sum(map(size, value.values()))
    if isinstance(value, Seq):
        return 1 + sum(map(size, value))
    return 1


def dotted(path: Path) -> str:
    """`("services", "web", "ports", 0)` as `services.web.ports[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def find(tree: Map, path: Path) -> Value:
    """The node at `path`; None where there is none."""
    node: Value = tree
    for part in path:
        if isinstance(node, Map):
            node = node.get(str(part))
        elif isinstance(node, Seq) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return None
    return node


def plain(value: Value) -> Any:
    """A tree as dicts and lists without positions."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def locate(tree: Map, path: Path, *, key: bool = False) -> Mark:
    """Where the node at `path` is written: its value, or with `key` its key.

    A node that does not exist is located by the nearest one around it.
    """
    node: Value = tree
    mark = tree.mark
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(node, Map) and part in node:
            name = str(part)
            mark = (node.keys_at if key and last else node.values_at)[name]
            node = node[name]
        elif isinstance(node, Seq) and isinstance(part, int) and part < len(node):
            mark, node = node.values_at[part], node[part]
        else:
            break
    return mark


def walk(value: Value, mark: Mark, path: Path = ()) -> Iterator[tuple[Path, Mark]]:
    """Every node with its position: of a mapping's entry, that of its key."""
    yield path, mark
    if isinstance(value, Map):
        for key, inner in value.items():
            yield from walk(inner, value.keys_at[key], (*path, key))
    elif isinstance(value, Seq):
        for index, (inner, at) in enumerate(value.items()):
            yield from walk(inner, at, (*path, index))


def overridden(value: Value, path: Path = ()) -> Iterator[tuple[Path, Former]]:
    """What merging has put other values in the place of, the last one first for each node."""
    entries: Iterable[tuple[str | int, Value]]
    entries = value.items() if isinstance(value, Map) else ()
    if isinstance(value, Seq):
        entries = enumerate(value)
    former: Any = value.former if isinstance(value, Map | Seq) else {}
    for key, inner in entries:
        for one in former.get(key, ()):
            yield (*path, key), one
        yield from overridden(inner, (*path, key))
