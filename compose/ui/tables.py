"""Tables and short forms of times and sizes, worded as Docker words them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP = "   "
MINUTE, HOUR, DAY, WEEK, MONTH, YEAR = 60, 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400


def format_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, three blanks between, nothing after the last."""
    lines = [tuple(titles), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def format_age(seconds: float) -> str:
    """A span in one unit: 0.4 -> "Less than a second", 95 -> "About a minute", 7200 -> "2 hours".

    Source: the thresholds of docker/go-units `HumanDuration`.
    """
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole < 2 * HOUR - HOUR // 2:
        return _short_age(whole)
    if whole < 2 * DAY:
        return f"{round(seconds / HOUR)} hours"
    for unit, name, limit in ((DAY, "days", 2 * WEEK), (WEEK, "weeks", 2 * MONTH)):
        if whole < limit:
            return f"{whole // unit} {name}"
    return f"{whole // MONTH} months" if whole < 2 * YEAR else f"{whole // YEAR} years"


def _short_age(whole: int) -> str:
    if whole == 1:
        return "1 second"
    if whole < MINUTE:
        return f"{whole} seconds"
    if whole < 2 * MINUTE:
        return "About a minute"
    if whole < HOUR - 14 * MINUTE:
        return f"{whole // MINUTE} minutes"
    return "About an hour"


def format_size(size_bytes: float) -> str:
    """A size in decimal units with four significant digits: 117823456 -> "117.8MB"."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size_bytes < 1000 or unit == "TB":
            break
        size_bytes /= 1000
    return f"{size_bytes:.4g}{unit}"


def format_scaled(size_bytes: float, *, binary: bool = False) -> str:
    """As `docker stats` has it: 1234567 -> "1.23MB", with `binary` "1.177MiB"."""
    base, digits, units = (1024, 4, "BKMGTP") if binary else (1000, 3, "BkMGTP")
    for unit in units:
        if size_bytes < base or unit == units[-1]:
            break
        size_bytes /= base
    ending = unit if unit == "B" else f"{unit}iB" if binary else f"{unit}B"
    return f"{size_bytes:.{digits}g}{ending}"
