"""What plain scalars mean (compose-file.md 3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.source.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-7", -7),
        ("0440", 0o440),
        ("0o440", 0o440),
        ("440", 440),
        ("0x1f", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("1.0", 1.0),
        ("1e6", 1e6),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("089", 89.0),
    ],
)
def test_core_scalars_have_their_type(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["yes", "no", "on", "off", "y", "22:22", "2020-01-01", "tRUE", "1.2.3", "0x", "+", "-"]
)
def test_what_yaml_1_1_took_for_something_else_is_a_string(text: str) -> None:
    assert resolve(text) == text


@given(st.integers())
def test_every_decimal_integer_is_itself(number: int) -> None:
    assert resolve(str(number)) == number


@given(st.text(min_size=1))
def test_no_text_is_refused(text: str) -> None:
    resolve(text)
