"""Reading a container's log, from its rotated files on, and following it."""

from __future__ import annotations

import contextlib
import io
import itertools
import os

from engine.containers.logs.compression import original_of
from engine.containers.logs.decoding import DECODERS
from engine.containers.logs.drivers import log_path
from engine.containers.logs.tail import seek_to_last_frames, seek_to_last_lines

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from engine.containers.logs.decoding import Decode
    from engine.containers.logs.line import LogLine

    Key = tuple[int, ...]  # by which a file is known again, whatever its name

_BLOCK_BYTES = 1 << 18
_MOST_FILES = 64  # held open at once; a reader that is further behind picks them up later


def open_reader(directory: str, container_id: str, driver: str) -> LogReader:
    """What reads what a driver has written; nothing is there of `none`."""
    decode = DECODERS.get(driver, DECODERS["cri"])
    return LogReader(log_path(directory, container_id, driver), decode)


class LogReader:
    """Reads a log from its oldest file on, and goes on where it stopped, over rotations.

    path       of the newest file; there may be none yet
    directory  where that is
    """

    def __init__(self, path: str, decode: Decode) -> None:
        self.directory, _, self._name = path.rpartition("/")
        self._path, self._decode = path, decode
        self._files: list[_File] = []  # oldest first: the one that is read, and those after it
        self._rest = b""

    def read(self) -> Iterator[LogLine]:
        """All entries that are there and have not been read yet."""
        return itertools.chain.from_iterable(self.read_blocks())

    def read_blocks(self) -> Iterator[list[LogLine]]:
        """The same, as many at a time as were read at once.

        Newer files are opened as soon as they are there, so that one which is rotated away while
        this is under way can still be read.
        """
        self._open_newer()
        while self._files:
            file, is_whole = self._files[0], len(self._files) > 1
            if block := file.stream.read(_BLOCK_BYTES):
                lines, self._rest = self._decode(self._rest + block)
                if lines:
                    yield lines
                if self._has_been_rotated():
                    self._open_newer()
            elif is_whole:
                self._files.pop(0).stream.close()
                self._rest = b""
            elif not self._open_newer():  # otherwise there may be more in this one by now
                return

    def skip_to_last(self, count: int) -> None:
        """Have the last `count` entries be what comes first; before anything is read."""
        self._open_newer()
        for index in range(len(self._files) - 1, -1, -1):
            count -= self._seek(self._files[index].stream, count)
            if count <= 0:
                for file in self._files[:index]:
                    file.stream.close()
                del self._files[:index]
                return

    def _seek(self, stream: BinaryIO, count: int) -> int:
        """How many of the last entries are in a file; it is where they begin, or at its own."""
        if isinstance(stream, io.FileIO):
            in_lines = self._decode is not DECODERS["local"]
            return (seek_to_last_lines if in_lines else seek_to_last_frames)(stream, count)
        rest, found = b"", 0
        while block := stream.read(_BLOCK_BYTES):
            lines, rest = self._decode(rest + block)
            found += len(lines)
        stream.seek(0)
        return found

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.stream.close()

    def _has_been_rotated(self) -> bool:
        try:
            return (os.stat(self._path).st_ino,) != self._files[-1].key
        except FileNotFoundError:
            return False

    def _open_newer(self) -> bool:
        """Open files that were begun after the one that was opened last; whether there are any.

        Names move while we look. They count if they are the same before and after the opening.
        """
        while True:
            existing = self._existing()
            end = self._place_of_last([key for key, _ in existing])
            room = max(_MOST_FILES - len(self._files), 0)
            newer = [_open(path, key) for key, path in existing[max(end - room, 0) : end]]
            found = [file for file in newer if file is not None]
            if self._existing() == existing:
                self._files += found[::-1]
                return bool(found)
            for file in found:
                file.stream.close()

    def _place_of_last(self, keys: list[Key]) -> int:
        """Where among these is the file that was opened last; at their end if it is gone."""
        if not self._files:
            return len(keys)
        last = self._files[-1]
        known = {last.key}
        if isinstance(last.stream, io.FileIO):  # it may have been compressed by now
            found = os.fstat(last.stream.fileno())
            known.add((found.st_ino, found.st_mtime_ns))
        return next((place for place, key in enumerate(keys) if key in known), len(keys))

    def _existing(self) -> list[tuple[Key, str]]:
        """(key, path), newest first; none once the container has been removed.

        A plain file's key is its inode: nobody else has it while it is there. That of a compressed
        one, what it was. While it is being compressed there are both, and the plain one counts.
        """
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        found: dict[int, tuple[Key, str]] = {}
        for name in sorted(names):  # `.1` comes before `.1.gz`
            number = self._number_of(name)
            if number is not None and number not in found:
                path = f"{self.directory}/{name}"
                with contextlib.suppress(FileNotFoundError):
                    original = original_of(path) if name.endswith(".gz") else None
                    found[number] = (original or (os.stat(path).st_ino,), path)
        return [found[number] for number in sorted(found)]

    def _number_of(self, name: str) -> int | None:
        """0 for the newest, 3 for `.3` and `.3.gz`; None for what is not of this log."""
        if name == self._name:
            return 0
        stem, _, number = name.removesuffix(".gz").partition(f"{self._name}.")
        return int(number) if not stem and number.isdecimal() else None


class _File:
    """One file that is open, and what it is known by."""

    __slots__ = ("key", "stream")

    def __init__(self, stream: BinaryIO, key: Key) -> None:
        self.stream, self.key = stream, key


def _open(path: str, key: Key) -> _File | None:
    """None for one that has been renamed just now."""
    try:
        if path.endswith(".gz"):
            import gzip

            return _File(gzip.open(path, "rb"), key)  # type: ignore[arg-type]
        return _File(open(path, "rb", buffering=0), key)
    except FileNotFoundError:
        return None
