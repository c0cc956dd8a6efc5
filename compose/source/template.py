"""The grammar of `$NAME` and `${NAME:-default}` (compose-file.md 11)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from compose.source.words import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Lookup = Callable[[str], str | None]
    Missing = Callable[[str], None]

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = re.compile(r":?[-+?]")
_BRACE = re.compile(r"[{}]")
_BRACE_OF_VARIABLE = re.compile(r"\$\{|\}")
MAX_DEPTH = 100  # of defaults in defaults
MAX_LENGTH = 16_000_000  # of a text: stops files in which each variable is twice the one before


class Malformed(Exception):
    """A `${...}` that breaks the grammar."""


class Unset(Exception):
    """A required variable has no value: its name, and what the template says about it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name, self.message = name, message


class Reference(NamedTuple):
    """A variable in a text.

    operator   `-`, `:-`, `+`, `:+`, `?` or `:?`; empty for `$NAME` and `${NAME}`
    rest       what follows the operator: a template itself
    """

    name: str
    operator: str = ""
    rest: str = ""


def scan(text: str) -> Iterator[str | Reference]:
    """The literal parts of `text` and the variables between them, in order.

    `$$` is a dollar sign; so is one that no name or brace follows. Raises Malformed.
    """
    position, braces = 0, _BRACE  # those that were counted before: each text is read through once
    while (dollar := text.find("$", position)) >= 0:
        yield text[position:dollar]
        following = text[dollar + 1 : dollar + 2]
        if name := _NAME.match(text, dollar + 1):
            yield Reference(name[0])
            position = name.end()
        elif following == "{":
            close, braces = _closing(text, dollar, braces)
            yield _braced(text[dollar + 2 : close])
            position = close + 1
        else:
            yield "$"
            position = dollar + (2 if following == "$" else 1)
    yield text[position:]


def substitute(text: str, lookup: Lookup, missing: Missing, depth: int = 0) -> str:
    """`text` with its variables replaced.

    lookup    value of a variable, None when it is not set
    missing   told the name of each variable that is replaced by nothing, being unset
    depth     how many defaults this text is inside of

    A part that is not needed (the default of a variable that is set) is not evaluated. Raises
    Malformed and Unset.
    """
    if depth > MAX_DEPTH:
        raise Malformed(f"variables are nested more than {MAX_DEPTH} deep")
    parts: list[str] = []
    length = 0
    for part in scan(text):
        parts.append(part if isinstance(part, str) else _value(part, lookup, missing, depth))
        length += len(parts[-1])
        if length > MAX_LENGTH:
            raise Malformed(f"the text comes to more than {MAX_LENGTH} characters")
    return "".join(parts)


def _value(reference: Reference, lookup: Lookup, missing: Missing, depth: int) -> str:
    name, operator, rest = reference
    value = lookup(name)
    if not operator:
        if value is None:
            missing(name)
        return value or ""
    is_set = bool(value) if operator.startswith(":") else value is not None
    match operator[-1], is_set:
        case ("+", True) | ("-", False):
            return substitute(rest, lookup, missing, depth + 1)
        case "?", False:
            raise Unset(name, substitute(rest, lookup, missing, depth + 1))
    return value or ""


def _closing(text: str, dollar: int, braces: re.Pattern[str]) -> tuple[int, re.Pattern[str]]:
    """Index of the brace that closes the variable at `dollar`, and which braces were counted.

    All of them; where these do not come in pairs, those of variables alone.
    """
    for counted in (braces, _BRACE_OF_VARIABLE):
        depth = 0
        for brace in counted.finditer(text, dollar):
            depth += -1 if brace[0] == "}" else 1
            if depth == 0:
                return brace.start(), counted
    raise Malformed(f"`{shortened(text[dollar:])}` is not closed")


def _braced(inner: str) -> Reference:
    name = _NAME.match(inner)
    operator = _OPERATOR.match(inner, name.end()) if name else None
    if name is None or (name.end() < len(inner) and operator is None):
        raise Malformed(
            f"`${{{shortened(inner)}}}` is not of the form `${{NAME}}` or `${{NAME:-default}}`"
        )
    if "\n" in inner:
        raise Malformed(f"`${{{name[0]}` goes over the end of a line")
    if operator is None:
        return Reference(name[0])
    return Reference(name[0], operator[0], inner[operator.end() :])
