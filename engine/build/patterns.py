"""Path patterns of Dockerfiles and .dockerignore files as regular expressions.

Source: Go filepath.Match, and moby/patternmatcher for `**` (engine.md D6.10, D6.15). Standard
library alone: the copying child imports this.
"""

from __future__ import annotations

import re

_WILDCARDS = "*?["


class PatternError(ValueError):
    """A pattern that is none: an unclosed bracket, a backslash at its end."""


def has_wildcard(text: str) -> bool:
    """Whether a source is a pattern."""
    return any(char in text for char in _WILDCARDS)


def translate(pattern: str, *, deep: bool = False) -> str:
    """The regular expression of a pattern: `*` and `?` stop at `/`.

    deep  as moby/patternmatcher does: `**` matches any number of directories, none included, and
          what a bracket excludes leaves `/`
    """
    if deep and pattern.startswith("**") and not any(char in pattern[2:] for char in "*?[]\\/"):
        return ".*" + re.escape(pattern[2:])  # there, alone, it is any beginning
    result, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if deep and char == "*" and pattern.startswith("*", at):
            text, at = _double_star(pattern, at + 1)
        elif char == "*":
            text = "[^/]*"
        elif char == "?":
            text = "[^/]"
        elif char == "[":
            text, at = _bracket(pattern, at, "" if deep else "/")
        elif char == "\\":
            if at == len(pattern):
                raise PatternError("a backslash at its end")
            text, at = re.escape(pattern[at]), at + 1
        else:
            text = re.escape(char)
        result += text
    return result


def _double_star(pattern: str, at: int) -> tuple[str, int]:
    if pattern.startswith("/", at):
        at += 1
    return (".*", at) if at == len(pattern) else ("(?:.*/)?", at)


def _bracket(pattern: str, at: int, never: str) -> tuple[str, int]:
    """`[a-z]`, `[^a-z]`: what follows the opening bracket. `never`: what the latter leaves out."""
    result = "["
    if pattern.startswith("^", at):
        result, at = f"[^{never}", at + 1
    start = at
    while at < len(pattern) and (pattern[at] != "]" or at == start):
        low, at = _bracket_char(pattern, at)
        result += re.escape(low)
        if pattern.startswith("-", at):
            high, at = _bracket_char(pattern, at + 1)
            if high < low:
                raise PatternError(f"the range {low}-{high} is backwards")
            result += f"-{re.escape(high)}"
    if at >= len(pattern):
        raise PatternError("an unclosed bracket")
    return result + "]", at + 1


def _bracket_char(pattern: str, at: int) -> tuple[str, int]:
    if pattern.startswith("\\", at):
        at += 1
    if at >= len(pattern) or pattern[at] in "-]":
        raise PatternError("an unclosed or empty bracket")
    return pattern[at], at + 1
