"""Tables of what applies to which nodes of a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compose.source.tree import Path

T = TypeVar("T")


class PathTable(Generic[T]):
    """Values by path, as `services.*.ports.[]`: `*` is any key, `[]` any item of a list."""

    def __init__(self, entries: Mapping[str, T]) -> None:
        self._root: dict[str | None, Any] = {}  # the value of a node is below None
        for pattern, value in entries.items():
            node = self._root
            for part in pattern.split("."):
                node = node.setdefault(part, {})
            node[None] = value

    def find(self, path: Path) -> T | None:
        """What is entered for a path; None for nothing."""
        node = self._root
        for part in path:
            exact = "[]" if isinstance(part, int) else part
            node = node.get(exact) or node.get("*", {})
        found: T | None = node.get(None)
        return found


def each(patterns: Iterable[str], value: T) -> dict[str, T]:
    """The same value for several patterns."""
    return dict.fromkeys(patterns, value)


def below(prefix: str, names: str) -> list[str]:
    """`prefix.name` for each of a blank-separated list of names."""
    return [f"{prefix}.{name}" for name in names.split()]
