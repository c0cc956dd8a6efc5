"""`WWW-Authenticate`: what a registry wants to be shown. Source: RFC 9110, section 11.6.1."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A word alone is a scheme; a word with `=` is a parameter of the scheme before it.
_PART = re.compile(r"""([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?""")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to authenticate; scheme and parameter names in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of an answer, in order; each header may carry several."""
    challenges: list[Challenge] = []
    for header in headers:
        for match in _PART.finditer(header):
            name, quoted, bare = match.groups()
            if quoted is None and bare is None:
                challenges.append(Challenge(scheme=name.lower()))
            elif challenges:
                value = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
                challenges[-1].parameters[name.lower()] = value
    return tuple(challenges)
