"""The CRI log format of Kubernetes, ours where no driver is asked for.

`2026-01-02T15:04:05.123456789Z stdout F text`; P in place of F where the rest of the line follows
in the next entry.
"""

from __future__ import annotations

from engine.containers.logs.stamps import Clock

FILE_NAME = "container.log"
HEAD_BYTES = 40  # up to the text: as long in every entry


class Cri:
    """Entries end with a newline, and have none inside."""

    def __init__(self) -> None:
        self._clock = Clock()

    def encode(self, stream: str, text: bytes, at_ns: int, *, part: int = 0) -> bytes:
        """Entries for whole lines, or one for part number `part` of a line."""
        whole = text.endswith(b"\n")
        head = b"%s %s %s " % (self._clock.stamp(at_ns), stream.encode(), b"F" if whole else b"P")
        if not whole:
            return head + text + b"\n"
        return head + text[:-1].replace(b"\n", b"\n" + head) + b"\n"

    def boundary(self, data: bytes, at: int) -> int:
        """Where the entry ends that holds the byte at `at`."""
        return data.index(b"\n", at) + 1
