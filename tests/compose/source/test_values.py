"""Durations, sizes, booleans and number texts (compose-file.md 3, 4.1, 4.2, 4.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.source.values import (
    format_duration,
    parse_boolean,
    parse_duration,
    parse_size,
    text_of,
)

_units = st.sampled_from(["ns", "us", "ms", "s", "m", "h", "d", "w"])


@pytest.mark.parametrize(
    ("text", "seconds", "printed"),
    [
        ("10s", 10, "10s"),
        ("1m", 60, "1m0s"),
        ("1d", 86_400, "24h0m0s"),
        ("1w", 604_800, "168h0m0s"),
        ("1h5m30s20ms", 3930.02, "1h5m30.02s"),
        ("500ms", 0.5, "500ms"),
        ("1.5h", 5400, "1h30m0s"),
        (".5s", 0.5, "500ms"),
        ("-2s", -2, "-2s"),
        ("3us", 0.000003, "3µs"),
        ("7ns", 7e-9, "7ns"),
        ("0", 0, "0s"),
    ],
)
def test_durations_and_how_they_are_printed(text: str, seconds: float, printed: str) -> None:
    assert parse_duration(text) == pytest.approx(seconds)
    assert format_duration(parse_duration(text)) == printed


@pytest.mark.parametrize("text", ["10", "", "s", "1x", "1m5", "1 m", "1e3s", "--1s"])
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"lacks a unit|is not a duration"):
        parse_duration(text)


@given(st.lists(st.tuples(st.integers(0, 999), _units), min_size=1, max_size=5))
def test_a_printed_duration_reads_back(parts: list[tuple[int, str]]) -> None:
    seconds = parse_duration("".join(f"{count}{unit}" for count, unit in parts))
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("1.5g", 1_610_612_736),
        ("10 MB", 10 * 1024**2),
        ("3kib", 3072),
        ("64m", 64 * 1024**2),
        ("1T", 1024**4),
        ("100", 100),
        ("100b", 100),
        ("-1", -1),
        (5, 5),
    ],
)
def test_sizes_are_in_units_of_1024(text: str | int, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["1gbb", "g", "1e", "-5m", "1  m", "", "m1"])
def test_what_is_not_a_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@given(st.integers(0, 2**40), st.sampled_from(["k", "m", "g", "KB", "Mb", "GiB"]))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    factor = 1024 ** ("kmg".index(unit[0].lower()) + 1)
    assert parse_size(f"{number}{unit}") == number * factor


@pytest.mark.parametrize("text", ["true", "Yes", "ON", "y", "1"])
def test_words_for_true(text: str) -> None:
    assert parse_boolean(text) is True


@pytest.mark.parametrize("text", ["false", "No", "OFF", "n", "0"])
def test_words_for_false(text: str) -> None:
    assert parse_boolean(text) is False


def test_other_words_are_no_booleans() -> None:
    with pytest.raises(ValueError, match="neither true nor false"):
        parse_boolean("maybe")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (1e6, "1e+06"),
        (0.5, "0.5"),
        (123456.0, "123456"),
        (1234567.0, "1.234567e+06"),
        (1e-7, "1e-07"),
        (-2.5e-300, "-2.5e-300"),
        (0.0001, "0.0001"),
        (-0.0, "-0"),
        (0o777, "511"),
        (True, "true"),
        (False, "false"),
        ("x", "x"),
    ],
)
def test_numbers_in_texts_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert text_of(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_as_text_is_the_same_number(value: float) -> None:
    assert float(text_of(value)) == value
