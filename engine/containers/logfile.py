"""The log of a container as it is written: CRI lines, a chunk at a time, rotated by size."""

from __future__ import annotations

import os
import time

LINE_LIMIT = 16 * 1024  # a longer line becomes several entries
LOG_NAME = "container.log"


class LogFile:
    """`<directory>/container.log`, with older ones as `.1`, `.2`, ...

    A line: `2026-01-02T15:04:05.123456789Z stdout F text`; P in place of F where the rest of the
    line follows in the next entry. Source: the CRI log format of Kubernetes.
    """

    def __init__(self, directory: str, max_size_bytes: int, max_files: int) -> None:
        self._path = f"{directory}/{LOG_NAME}"
        self._max_size_bytes, self._max_files = max_size_bytes, max_files
        self._pending = {"stdout": b"", "stderr": b""}
        self._second, self._second_text = -1, b""
        self._open()

    def write(self, stream: str, chunk: bytes) -> None:
        """Log what came from `stdout` or `stderr`; an unfinished line waits for its end."""
        text = self._pending[stream] + chunk
        *lines, rest = text.split(b"\n")
        stamp = self._stamp() + b" " + stream.encode()
        full, partial = stamp + b" F ", stamp + b" P "
        entries = []
        for line in lines:
            while len(line) > LINE_LIMIT:
                entries.append(partial + line[:LINE_LIMIT])
                line = line[LINE_LIMIT:]
            entries.append(full + line)
        while len(rest) > LINE_LIMIT:
            entries.append(partial + rest[:LINE_LIMIT])
            rest = rest[LINE_LIMIT:]
        self._pending[stream] = rest
        if entries:
            self._append(b"\n".join(entries) + b"\n")

    def flush(self) -> None:
        """Log unfinished lines: their process has ended."""
        for stream, rest in self._pending.items():
            if rest:
                self._append(self._stamp() + b" " + stream.encode() + b" P " + rest + b"\n")
                self._pending[stream] = b""

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        os.close(self._fd)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o640)
        self._size_bytes = os.fstat(self._fd).st_size

    def _append(self, data: bytes) -> None:
        """A full disk loses lines, never the container."""
        if self._size_bytes >= self._max_size_bytes:
            self._rotate()
        try:
            self._size_bytes += os.write(self._fd, data)
        except OSError:
            return

    def _rotate(self) -> None:
        """Shift the older files; readers keep the one they have open."""
        os.close(self._fd)
        for number in range(self._max_files - 1, 0, -1):
            older = self._path if number == 1 else f"{self._path}.{number - 1}"
            if os.path.exists(older):
                os.rename(older, f"{self._path}.{number}")
        if self._max_files <= 1:
            os.unlink(self._path)
        self._open()

    def _stamp(self) -> bytes:
        second, nanosecond = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second, self._second_text = second, text.encode()
        return b"%s.%09dZ" % (self._second_text, nanosecond)
