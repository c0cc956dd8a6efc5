"""The grammar of `$NAME` and `${NAME:-default}` (compose-file.md 11)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Lookup = Callable[[str], str | None]
    Missing = Callable[[str], None]

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = re.compile(r":?[-+?]")


class Malformed(Exception):
    """A `${...}` that breaks the grammar."""


class Unset(Exception):
    """A required variable has no value: its name, and what the template says about it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name, self.message = name, message


def substitute(text: str, lookup: Lookup, missing: Missing) -> str:
    """`text` with its variables replaced.

    lookup    value of a variable, None when it is not set
    missing   told the name of each variable that is replaced by nothing, being unset

    A part that is not needed (the default of a variable that is set) is not evaluated. `$$` is a
    dollar sign; so is one that no name or brace follows. Raises Malformed and Unset.
    """
    parts: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        following = text[dollar + 1 : dollar + 2]
        if name := _NAME.match(text, dollar + 1):
            parts.append(_value(name[0], lookup, missing))
            position = name.end()
        elif following == "{":
            close = _closing(text, dollar + 1)
            parts.append(_braced(text[dollar + 2 : close], lookup, missing))
            position = close + 1
        else:
            parts.append("$")
            position = dollar + (2 if following == "$" else 1)
    return "".join([*parts, text[position:]])


def _value(name: str, lookup: Lookup, missing: Missing) -> str:
    value = lookup(name)
    if value is None:
        missing(name)
        return ""
    return value


def _closing(text: str, start: int) -> int:
    """Index of the brace that closes the one at `start`; braces in between are counted."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] == "{":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    raise Malformed(f"`{text[start - 1 :]}` is not closed")


def _braced(inner: str, lookup: Lookup, missing: Missing) -> str:
    name = _NAME.match(inner)
    if name is None or (name.end() < len(inner) and not _OPERATOR.match(inner, name.end())):
        raise Malformed(f"`${{{inner}}}` is not of the form `${{NAME}}` or `${{NAME:-default}}`")
    if "\n" in inner:
        raise Malformed(f"`${{{name[0]}` goes over the end of a line")
    operator = _OPERATOR.match(inner, name.end())
    if operator is None:
        return _value(name[0], lookup, missing)
    value = lookup(name[0])
    is_set = bool(value) if operator[0].startswith(":") else value is not None
    rest = inner[operator.end() :]
    match operator[0][-1], is_set:
        case ("+", True) | ("-", False):
            return substitute(rest, lookup, missing)
        case "?", False:
            raise Unset(name[0], substitute(rest, lookup, missing))
    return value or ""
