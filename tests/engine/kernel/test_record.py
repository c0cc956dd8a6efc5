"""Records: frozen data classes that cost nothing to import."""

from __future__ import annotations

import pytest

from engine.kernel.record import Record


class _Shape(Record):
    name: str
    colour: str = "grey"


class _Square(_Shape):
    side: int


def test_a_record_has_the_fields_and_defaults_of_its_base() -> None:
    square = _Square(name="s", side=2)
    assert square.values() == {"name": "s", "colour": "grey", "side": 2}
    assert square == square.replace(side=2) != square.replace(colour="red")
    assert _Square.field_names() == ("name", "colour", "side")


def test_a_record_of_a_base_names_what_is_missing() -> None:
    with pytest.raises(TypeError, match="missing or unexpected: name"):
        _Square(side=2)  # type: ignore[call-arg]
