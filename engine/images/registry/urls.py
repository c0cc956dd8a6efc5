"""Addresses that users write: of mirrors, of proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

if TYPE_CHECKING:
    from urllib3.util import Url


def parse_web_url(text: str) -> Url | None:
    """The parts of an address of http or https; None where it is something else."""
    try:
        parts = parse_url(text)
    except LocationParseError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.host else None
