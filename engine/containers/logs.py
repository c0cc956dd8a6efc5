"""Reading a container's log, from its rotated files on, and following it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from engine.containers.logfile import LOG_NAME

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

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
        self._directory = directory
        self._files: list[BinaryIO] = []
        self._rest = b""

    def read(self) -> Iterator[LogLine]:
        """All entries that are there and have not been read yet."""
        while True:
            for file in self._files:
                yield from self._read_file(file)
            newer = self._newer_files()
            if newer and self._files:  # the end of a file is known once there is another
                yield from self._read_file(self._files[-1])
            for file in self._files[:-1] if not newer else self._files:
                file.close()
            self._files = newer or self._files[-1:]
            if not newer:
                return

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _newer_files(self) -> list[BinaryIO]:
        """Files that were begun after the one that was read last: it has been rotated.

        Names move while we look. They count if they are the same before and after the opening.
        """
        last = os.fstat(self._files[-1].fileno()).st_ino if self._files else None
        while True:
            existing = self._existing()
            inodes = [inode for inode, _ in existing]
            end = inodes.index(last) if last in inodes else len(inodes)
            newer = [file for _, path in existing[:end] if (file := _open(path)) is not None]
            if self._existing() == existing:
                return newer[::-1]
            for file in newer:
                file.close()

    def _existing(self) -> list[tuple[int, str]]:
        """(inode, path), newest first; none once the container has been removed."""
        numbers = []
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        for name in names:
            stem, _, number = name.partition(f"{LOG_NAME}.")
            if name == LOG_NAME or (not stem and number.isdecimal()):
                numbers.append((int(number or 0), f"{self._directory}/{name}"))
        found = []
        for _, path in sorted(numbers):
            with contextlib.suppress(FileNotFoundError):
                found.append((os.stat(path).st_ino, path))
        return found

    def _read_file(self, file: BinaryIO) -> Iterator[LogLine]:
        while block := file.read(_BLOCK_BYTES):
            *lines, self._rest = (self._rest + block).split(b"\n")
            for line in lines:
                entry = parse_line(line)
                if entry is not None:
                    yield entry


def _open(path: str) -> BinaryIO | None:
    """None for one that has been renamed just now."""
    try:
        return open(path, "rb")
    except FileNotFoundError:
        return None
