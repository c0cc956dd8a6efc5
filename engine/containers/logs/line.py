"""One entry of a log, as it is read."""

from __future__ import annotations

from typing import NamedTuple


class LogLine(NamedTuple):
    """A tuple, since millions are made.

    stamp    RFC 3339 with nanoseconds, UTC: sorts as text
    stream   "stdout" or "stderr"
    text     without the newline
    partial  the rest of the line is in the next entry, or never came
    """

    stamp: str
    stream: str
    text: bytes
    partial: bool
