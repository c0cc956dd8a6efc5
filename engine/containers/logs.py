"""Reading a container's log, from its rotated files on, and following it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.containers.logfile import LOG_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class LogLine:
    """One entry.

    stamp    RFC 3339 with nanoseconds, UTC: sorts as text
    stream   "stdout" or "stderr"
    text     without the newline
    partial  the rest of the line is in the next entry, or never came
    """

    stamp: str
    stream: str
    text: bytes
    partial: bool


def parse_line(line: bytes) -> LogLine | None:
    """One CRI line without its newline; None for what is none, as after a power cut."""
    words = line.split(b" ", 3)
    if len(words) != 4 or words[1] not in (b"stdout", b"stderr") or words[2] not in (b"F", b"P"):
        return None
    stamp, stream, kind, text = words
    return LogLine(stamp.decode("ascii", "replace"), stream.decode(), text, kind == b"P")


class LogReader:
    """Reads a log from its oldest file on, and goes on where it stopped, over rotations."""

    def __init__(self, directory: str) -> None:
        self._path = f"{directory}/{LOG_NAME}"
        self._files = [open(path, "rb") for path in self._existing()]  # noqa: SIM115
        self._rest = b""

    def read(self) -> Iterator[LogLine]:
        """All entries that are there and have not been read yet."""
        while True:
            for file in self._files:
                yield from self._read_file(file)
            newer = self._newer_files()
            for file in self._files[:-1] if not newer else self._files:
                file.close()
            self._files = newer or self._files[-1:]
            if not newer:
                return

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _existing(self) -> list[str]:
        """Oldest first."""
        paths = [self._path]
        while os.path.exists(f"{self._path}.{len(paths)}"):
            paths.append(f"{self._path}.{len(paths)}")
        return [path for path in reversed(paths) if os.path.exists(path)]

    def _newer_files(self) -> list:  # type: ignore[type-arg]
        """Files that were begun after the one that was read last: it has been rotated."""
        newer = []
        last = os.fstat(self._files[-1].fileno()).st_ino if self._files else None
        for path in reversed(self._existing()):
            try:
                file = open(path, "rb")  # noqa: SIM115
            except FileNotFoundError:
                continue
            if os.fstat(file.fileno()).st_ino == last:
                file.close()
                break
            newer.append(file)
        return newer[::-1]

    def _read_file(self, file) -> Iterator[LogLine]:  # type: ignore[no-untyped-def]
        while block := file.read(_BLOCK_BYTES):
            *lines, self._rest = (self._rest + block).split(b"\n")
            for line in lines:
                entry = parse_line(line)
                if entry is not None:
                    yield entry
