"""The time at which something was written: RFC 3339 in UTC, with nanoseconds."""

from __future__ import annotations

import time

DIGITS = 9


class Clock:
    """Formats moments; the text of a second is kept for the next moment in it."""

    def __init__(self) -> None:
        self._second, self._text = -1, b""

    def stamp(self, at_ns: int) -> bytes:
        """`2026-01-02T15:04:05.123456789Z` for nanoseconds since the epoch."""
        second, nanosecond = divmod(at_ns, 1_000_000_000)
        if second != self._second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second, self._text = second, text.encode()
        return b"%s.%09dZ" % (self._text, nanosecond)


def stamp_of(at_s: float) -> str:
    """The same for seconds since the epoch."""
    second, fraction = divmod(at_s, 1)
    return Clock().stamp(int(second) * 1_000_000_000 + int(fraction * 1e9)).decode()


def trimmed(stamp: bytes) -> bytes:
    """The same without trailing zeros, as Go writes it: `...05.12Z`, `...05Z`."""
    return stamp[:-1].rstrip(b"0").rstrip(b".") + b"Z"


def padded(stamp: str) -> str:
    """The same with all nine digits, so that it sorts as text."""
    seconds, _, fraction = stamp.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction:0<{DIGITS}}Z"
