"""A file that only grows, up to a size: then it becomes `.1`, what was that `.2`, and so on."""

from __future__ import annotations

import contextlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.containers.logs.compression import Compressor


_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class RotatedFile:
    """Entries appended at `path`.

    max_size_bytes  a file that is as large takes no further entry; 0: without end
    max_files       with the one that grows; 1: a full one is dropped, and a new one begun
    boundary        (data, at) -> where the entry ends that holds the byte at `at`
    compressor      of those that are full; None: they stay as they are
    """

    def __init__(
        self,
        path: str,
        max_size_bytes: int,
        max_files: int,
        boundary: Callable[[bytes, int], int],
        compressor: Compressor | None = None,
    ) -> None:
        self._path, self._boundary, self._compressor = path, boundary, compressor
        self._directory, _, self._name = path.rpartition("/")
        self._max_size_bytes, self._max_files = max_size_bytes, max_files
        self._fd = os.open(path, _FLAGS, 0o640)
        self._size_bytes = os.fstat(self._fd).st_size

    def append(self, data: bytes) -> None:
        """Write entries; a full disk loses them, never the container."""
        limit = self._max_size_bytes
        while data:
            if limit and self._size_bytes >= limit:
                try:
                    self._rotate()
                except OSError:
                    return
            room = limit - self._size_bytes
            end = self._boundary(data, room - 1) if limit and room <= len(data) else len(data)
            self._write(data[:end])
            data = data[end:]

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _rotate(self) -> None:
        """Begin a new file. Readers keep the one they have open: none is ever cut short.

        Raises OSError where the new one cannot be made or moved; the next time goes on from there.
        """
        if self._compressor is not None:
            self._compressor.wait()
        fresh = f"{self._path}.new"
        fd = os.open(fresh, _FLAGS, 0o640)
        try:
            self._move_older()
            os.rename(fresh, self._path)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd, self._size_bytes = fd, 0
        if self._max_files > 1 and self._compressor is not None:
            self._compressor.compress(f"{self._path}.1")

    def _move_older(self) -> None:
        """A file that somebody has removed is not missed."""
        last = self._max_files - 1
        for number, name in sorted(self._older(), reverse=True):
            path = f"{self._directory}/{name}"
            suffix = ".gz" if name.endswith(".gz") else ""
            with contextlib.suppress(FileNotFoundError):
                if number >= last:
                    os.unlink(path)
                else:
                    os.rename(path, f"{self._path}.{number + 1}{suffix}")
        if last:
            with contextlib.suppress(FileNotFoundError):
                os.rename(self._path, f"{self._path}.1")

    def _older(self) -> Iterator[tuple[int, str]]:
        """(number, name) of the files that were full before."""
        for name in os.listdir(self._directory):
            stem, _, number = name.removesuffix(".gz").partition(f"{self._name}.")
            if not stem and number.isdecimal():
                yield int(number), name

    def _write(self, data: bytes) -> None:
        """What was written in part is taken back: an entry is there whole, or not at all."""
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:] if written else data)
            self._size_bytes += written
        except OSError:
            with contextlib.suppress(OSError):  # of a filesystem that can only be read by now
                os.ftruncate(self._fd, self._size_bytes)
