"""Tables, ages and sizes read as Docker's."""

from __future__ import annotations

import pytest

from compose.ui.tables import format_age, format_scaled, format_size, format_table


def test_columns_are_three_blanks_apart_and_lines_end_clean() -> None:
    table = format_table(("NAME", "STATUS"), [("web-1", "Up"), ("a", "Exited (0)")])
    assert table == "NAME    STATUS\nweb-1   Up\na       Exited (0)"


def test_a_table_without_rows_is_its_titles() -> None:
    assert format_table(("NAME", "STATUS"), []) == "NAME   STATUS"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (45 * 60, "45 minutes"),
        (46 * 60, "About an hour"),
        (89 * 60, "About an hour"),
        (2 * 3600, "2 hours"),
        (47 * 3600, "47 hours"),
        (2 * 86400, "2 days"),
        (13 * 86400, "13 days"),
        (14 * 86400, "2 weeks"),
        (59 * 86400, "8 weeks"),
        (60 * 86400, "2 months"),
        (729 * 86400, "24 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_an_age_is_in_one_unit(seconds: float, text: str) -> None:
    assert format_age(seconds) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (117_823_456, "117.8MB"), (3.2e12, "3.2TB")],
)
def test_a_size_has_four_digits(size_bytes: float, text: str) -> None:
    assert format_size(size_bytes) == text


@pytest.mark.parametrize(
    ("size_bytes", "decimal", "binary"),
    [
        (0, "0B", "0B"),
        (999, "999B", "999B"),
        (1_234_567, "1.23MB", "1.177MiB"),
        (64 << 20, "67.1MB", "64MiB"),
        (8_336_000_000, "8.34GB", "7.764GiB"),
    ],
)
def test_sizes_of_stats(size_bytes: int, decimal: str, binary: str) -> None:
    assert format_scaled(size_bytes) == decimal
    assert format_scaled(size_bytes, binary=True) == binary
