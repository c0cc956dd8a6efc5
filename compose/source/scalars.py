"""What a plain YAML scalar means: the core rules of YAML 1.2, with two leftovers of 1.1 that
Compose files rely on (`0440` is octal, `1_000` is a thousand)."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compose.source.tree import Scalar

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INFINITY = re.compile(r"([-+]?)\.(inf|Inf|INF)")
LONGEST = 80  # digits of a number: 64 of a binary one, with sign and prefix
_NUMBER_BEGINS = frozenset("+-.0123456789")
_BASES = (
    (re.compile(r"[-+]?0o?[0-7]+"), 8),
    (re.compile(r"[-+]?0x[0-9a-fA-F]+"), 16),
    (re.compile(r"[-+]?0b[01]+"), 2),
    (re.compile(r"[-+]?(0|[1-9][0-9]*)"), 10),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar. `yes`, `on`, `22:22` and dates are strings."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_BEGINS:
        return text
    if infinity := _INFINITY.fullmatch(text):
        return float(f"{infinity[1]}inf")
    digits = text.replace("_", "")
    for pattern, base in _BASES:
        if pattern.fullmatch(digits):
            return _integer(digits, base)
    if _FLOAT.fullmatch(digits) and math.isfinite(number := float(digits)):
        return number
    return text


def _integer(digits: str, base: int) -> int | float:
    """Like the reference, a float where there are more digits than a machine's number has."""
    if len(digits) > LONGEST:
        return float(digits) if base == 10 else float("inf")
    sign = -1 if digits.startswith("-") else 1
    bare = digits.lstrip("+-").lower()
    return sign * int(bare.removeprefix("0o").removeprefix("0x").removeprefix("0b"), base)
