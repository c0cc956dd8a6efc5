"""The log of a container as it is written: a chunk at a time, whole lines together."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from engine.containers.logs.rotation import RotatedFile

    class Format(Protocol):
        """How entries look."""

        def encode(self, stream: str, text: bytes, at_ns: int, *, part: int = 0) -> bytes: ...


LINE_LIMIT = 16 * 1024  # a longer line becomes several entries


class LogWriter:
    """Cuts what comes into lines, and those that are too long into parts."""

    def __init__(self, file: RotatedFile, form: Format) -> None:
        self._file, self._form = file, form
        self._pending = {"stdout": b"", "stderr": b""}
        self._begun: dict[str, tuple[int, int]] = {}  # stream -> (parts so far, time of the first)

    def write(self, stream: str, chunk: bytes) -> None:
        """Log what came from `stdout` or `stderr`; an unfinished line waits for its end."""
        text = self._pending[stream] + chunk
        end = text.rfind(b"\n") + 1
        if len(text) - end > LINE_LIMIT:
            end = len(text) - (len(text) - end - 1) % LINE_LIMIT - 1
        self._pending[stream] = text[end:]
        self._log(stream, text[:end])

    def flush(self) -> None:
        """Log unfinished lines: their process has ended."""
        for stream, rest in self._pending.items():
            self._pending[stream] = b""
            self._log(stream, rest)
        self._begun = {}

    def _log(self, stream: str, text: bytes) -> None:
        now_ns = time.time_ns()
        entries = [entry for piece in pieces(text) for entry in self._encode(stream, piece, now_ns)]
        if entries:
            self._file.append(b"".join(entries))

    def _encode(self, stream: str, piece: bytes, now_ns: int) -> Iterator[bytes]:
        """All parts of a line carry the time of the first."""
        if stream in self._begun or not piece.endswith(b"\n"):
            parts, began_ns = self._begun.pop(stream, (0, now_ns))
            end = piece.find(b"\n") + 1
            if not end:
                self._begun[stream] = parts + 1, began_ns
            part, piece = (piece[:end], piece[end:]) if end else (piece, b"")
            yield self._form.encode(stream, part, began_ns, part=parts + 1)
        if piece:
            yield self._form.encode(stream, piece, now_ns)

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()


class NoLog:
    """The driver `none`: nothing is kept."""

    def write(self, stream: str, chunk: bytes) -> None:
        """Forget it."""

    def flush(self) -> None:
        """There is nothing."""

    def close(self) -> None:
        """There is nothing."""


def pieces(text: bytes) -> Iterator[bytes]:
    """Runs of lines that are short enough, and the parts of those that are not.

    The last line may be without its end: it is cut into parts then, and so is one that is longer
    than the limit, whose last part, with the newline, begins the next run.
    """
    begin = at = 0
    while at < len(text):
        newline = text.rfind(b"\n", at, at + LINE_LIMIT + 1)
        if newline >= 0:
            at = newline + 1
            continue
        if begin < at:
            yield text[begin:at]
        yield text[at : at + LINE_LIMIT]
        begin = at = at + LINE_LIMIT
    if begin < at:
        yield text[begin:at]
