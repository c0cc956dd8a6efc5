"""Durations, byte sizes, booleans and numbers as Compose writes them.

Every `parse_` raises ValueError with a sentence that completes "... is not valid: ".
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

_SECONDS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),  # micro sign
    "μs": Decimal("1e-6"),  # Greek mu, which looks the same
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}
_UNITS = "ns us ms s m h d w"
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(" + "|".join(_SECONDS) + r")(?![a-zµμ])")
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?([a-z]*)", re.IGNORECASE)
_POWERS = {
    word: power
    for power, words in enumerate(("b", "k kb kib", "m mb mib", "g gb gib", "t tb tib", "p pb pib"))
    for word in words.split()
}
LONGEST = 40  # characters of a size or duration
_TRUE = frozenset(("true", "t", "1", "yes", "y", "on"))
_FALSE = frozenset(("false", "f", "0", "no", "n", "off"))


def parse_duration(text: str) -> float:
    """Seconds of `1m30s`, `500ms`, `-1.5h`; `0` needs no unit."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if len(text) > LONGEST:
        raise ValueError(f"`{text[:LONGEST]}...` is not a duration as `1m30s`")
    if rest == "0":
        return 0.0
    total, position = Decimal(0), 0
    while part := _DURATION_PART.match(rest, position):
        total += Decimal(part[1]) * _SECONDS[part[2]]
        position = part.end()
    if position != len(rest) or not rest:
        if re.fullmatch(r"[\d.]+", rest):
            raise ValueError(f"`{text}` lacks a unit, as in `{text}s`")
        raise ValueError(f"`{text}` is not a duration as `1m30s`; units are {_UNITS}")
    return float(sign * total)


def format_duration(seconds: float) -> str:
    """As Go prints it, which is how the reference does: 90.0 is `1m30s`, 0.5 is `500ms`."""
    if seconds == 0:
        return "0s"
    sign, exact = ("-" if seconds < 0 else ""), Decimal(repr(abs(seconds)))
    for unit, below in (("ns", "1e-6"), ("µs", "1e-3"), ("ms", "1")):
        if exact < Decimal(below):
            return f"{sign}{_plain(exact / _SECONDS[unit])}{unit}"
    minutes, rest = divmod(exact, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{_plain(rest)}s"
    if hours or minutes:
        text = f"{minutes:.0f}m{text}"
    return sign + (f"{hours:.0f}h{text}" if hours else text)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_size(value: str | float, *, unit: int = 1024) -> int:
    """Bytes of `1.5g`, `10 MB`, `512k` (in powers of `unit`) or of a number; truncated."""
    if not isinstance(value, str):
        if not math.isfinite(value):
            raise ValueError(f"`{value}` is not a number of bytes")
        return int(value)
    if len(value) > LONGEST:
        raise ValueError(f"`{value[:LONGEST]}...` is not a size as `512m` or `1.5g`")
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    match = _SIZE.fullmatch(value)
    if match is None or (match[2] and match[2].lower() not in _POWERS):
        raise ValueError(f"`{value}` is not a size as `512m` or `1.5g`")
    return int(Decimal(match[1]) * unit ** _POWERS[match[2].lower() or "b"])


def parse_boolean(text: str) -> bool:
    """`true`, `yes`, `on`, `1` and their opposites, in any case."""
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"`{text}` is neither true nor false")


def whole(number: float) -> float:
    """The number, an int where nothing is lost by it: `2` and `2.0` are one."""
    return int(number) if abs(number) < 2**53 and number == int(number) else number


def text_of(value: str | float | bool) -> str:
    """A scalar as it stands in an environment or a label: numbers as Go prints them.

    True is `true`, 1.0 is `1`, 1e6 is `1e+06`.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(value)]
    exact = Decimal(repr(value))
    sign, digits, _ = exact.normalize().as_tuple()
    power = exact.adjusted()  # of the first digit
    if value == 0 or -4 <= power < 6:
        return _plain(exact)
    first, rest = digits[0], "".join(map(str, digits[1:]))
    return f"{'-' * sign}{first}{'.' * bool(rest)}{rest}e{power:+03d}"
