"""A file that only grows, up to a size: then it becomes `.1`, what was that `.2`, and so on."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.containers.logs.compression import Compressor


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
        self._open()

    def append(self, data: bytes) -> None:
        """Write entries; a full disk loses them, never the container."""
        limit = self._max_size_bytes
        while data:
            if limit and self._size_bytes >= limit:
                self.rotate()
            room = limit - self._size_bytes
            end = self._boundary(data, room - 1) if limit and room <= len(data) else len(data)
            self._write(data[:end])
            data = data[end:]

    def rotate(self) -> None:
        """Begin a new file. Readers keep the one they have open: none is ever cut short."""
        if self._compressor is not None:
            self._compressor.wait()
        os.close(self._fd)
        last = self._max_files - 1
        for number, name in sorted(self._older(), reverse=True):
            path = f"{self._directory}/{name}"
            if number >= last:
                os.unlink(path)
            else:
                suffix = ".gz" if name.endswith(".gz") else ""
                os.rename(path, f"{self._path}.{number + 1}{suffix}")
        if last:
            os.rename(self._path, f"{self._path}.1")
        else:
            os.unlink(self._path)
        self._open()
        if last and self._compressor is not None:
            self._compressor.compress(f"{self._path}.1")

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _older(self) -> Iterator[tuple[int, str]]:
        """(number, name) of the files that were full before."""
        for name in os.listdir(self._directory):
            stem, _, number = name.removesuffix(".gz").partition(f"{self._name}.")
            if not stem and number.isdecimal():
                yield int(number), name

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o640)
        self._size_bytes = os.fstat(self._fd).st_size

    def _write(self, data: bytes) -> None:
        """What was written in part is taken back: an entry is there whole, or not at all."""
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:] if written else data)
            self._size_bytes += written
        except OSError:
            os.ftruncate(self._fd, self._size_bytes)
