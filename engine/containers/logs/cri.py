"""The CRI log format of Kubernetes, ours where no driver is asked for.

`2026-01-02T15:04:05.123456789Z stdout F text`; P in place of F where the rest of the line follows
in the next entry.
"""

from __future__ import annotations

from engine.containers.logs.stamps import Clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.containers.logs.line import LogLine

FILE_NAME = "container.log"
_HEAD_BYTES = 40  # up to the text: as long in every entry
_STREAMS = {b"stdout": "stdout", b"stderr": "stderr"}


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


def decode(block: bytes) -> tuple[list[LogLine], bytes]:
    """The entries that are whole, and the rest of the block. What is no entry is passed over."""
    from engine.containers.logs.line import LogLine

    lines: list[LogLine] = []
    stamp, stream, partial, known = "", "", False, b""
    *entries, rest = block.split(b"\n")
    for entry in entries:
        head = entry[:_HEAD_BYTES]
        if head != known:
            words = head.split(b" ")
            if len(head) < _HEAD_BYTES or len(words) != 4 or words[1] not in _STREAMS:
                continue
            known, stamp, stream = head, words[0].decode("ascii", "replace"), _STREAMS[words[1]]
            partial = words[2] == b"P"
        lines.append(LogLine(stamp, stream, entry[_HEAD_BYTES:], partial))
    return lines, rest
