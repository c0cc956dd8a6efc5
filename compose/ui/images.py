"""An image in words, as `docker images` has them (cli.md 3 and 8)."""

from __future__ import annotations

import time
from datetime import datetime

from compose.ui.tables import format_age

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine import Image

SHORT_ID = 12
NONE = "<none>"


def format_id(image: Image, *, full: bool = False) -> str:
    """The first 12 digits; of `rootfs:/` the whole."""
    digits = image.id.removeprefix("sha256:")
    return digits if full or digits == image.id else digits[:SHORT_ID]


def format_platform(image: Image) -> str:
    """`linux/amd64`."""
    return "/".join(part for part in (image.os, image.architecture, image.variant) if part)


def created_at(image: Image) -> float | None:
    """Seconds since the epoch; None where the image does not say, or not properly."""
    return _seconds(image.created)


def format_created(image: Image) -> str:
    """`2 weeks ago`; `N/A` where it is not known."""
    return format_moment(image.created)


def format_moment(text: str) -> str:
    """The same of a moment as images have it: RFC 3339."""
    at = _seconds(text)
    return "N/A" if at is None else f"{format_age(max(time.time() - at, 0))} ago"


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
