"""Variables and where they come from, as a table or as JSON."""

from __future__ import annotations

from compose.ui.tables import format_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compose.model.explain import Explained, Source

TITLES = ("NAME", "VALUE", "FROM", "INSTEAD OF")
LONGEST = 60
EMPTY = '""'


def to_table(variables: Iterable[Explained]) -> str:
    """One line for each variable, and one more for each further value that it overrode."""
    return format_table(TITLES, [row for one in variables for row in _rows(one)])


def _rows(one: Explained) -> Iterator[tuple[str, ...]]:
    instead = [f"{_value(source) or EMPTY} ({_place(source)})" for source in one.instead_of]
    first, *others = instead or [""]
    yield one.name, _value(one.source), _place(one.source), first
    for other in others:
        yield "", "", "", other


def _value(source: Source) -> str:
    """A value on one line of bearable length."""
    if source.value is None:
        return "(not set)"
    text = source.value if source.value.isprintable() else repr(source.value)[1:-1]
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _place(source: Source) -> str:
    return f"{source.where}, passed on by {source.passed}" if source.passed else source.where


def to_json(variables: Iterable[Explained]) -> str:
    """A list of objects."""
    import json

    fields = [
        {
            "Name": one.name,
            **_fields(one.source),
            "InsteadOf": [_fields(source) for source in one.instead_of],
        }
        for one in variables
    ]
    return json.dumps(fields, indent=2, ensure_ascii=False)


def _fields(source: Source) -> dict[str, object]:
    passed = {"PassedBy": source.passed} if source.passed else {}
    return {"Value": source.value, "From": source.where, **passed}
