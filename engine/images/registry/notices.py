"""What registries say beside their answers: warnings, and how much more one may ask for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# RFC 7234, section 5.5: `299 - "text"`; OCI distribution-spec, "Warnings"
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
# Docker docs, "Docker Hub usage and limits": `100;w=21600`, a count and a span in seconds
_LIMIT = re.compile(r"([0-9]+)(?:;w=([0-9]{1,12}))?")


def warnings_of(headers: Iterable[str]) -> Iterator[str]:
    """The texts in `Warning` headers."""
    for header in headers:
        for match in _WARNING.finditer(header):
            yield _ESCAPED.sub(r"\1", match[1])


def limit_of(headers: Mapping[str, str]) -> str:
    """`100 in 6 h` from Docker Hub's headers; empty where there are none."""
    match = _LIMIT.match(headers.get("ratelimit-limit") or "")
    if match is None:
        return ""
    return f"{match[1]} in {int(match[2]) / 3600:g} h" if match[2] else match[1]
