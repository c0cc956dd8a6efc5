"""Writing the tar of an archive, to what may be a pipe. Each name is written once."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from engine.images.header import BLOCK, DIRECTORY, FILE, tar_header

if TYPE_CHECKING:
    from collections.abc import Iterable


class ArchiveWriter:
    """Members with their content; the times are those of nobody, for the same bytes each time."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._names: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether a member of that name has been written."""
        return name in self._names

    def add(self, name: str, data: bytes) -> None:
        """A small member, with the directories above it."""
        self.add_stream(name, len(data), (data,))

    def add_stream(self, name: str, size: int, pieces: Iterable[bytes]) -> None:
        """A member of `size` bytes. Raises what `pieces` raises: the archive is no good then."""
        if self.has(name):
            return
        self._add_directories(name)
        self._start(name, tar_header(name.encode(), FILE, mode=0o644, size=size))
        given = 0
        for piece in pieces:
            given += len(piece)
            self._out.write(piece)
        assert given == size, f"{name} has {given} bytes, not {size}"
        self._out.write(bytes(-size % BLOCK))

    def finish(self) -> None:
        """The end mark."""
        self._out.write(bytes(2 * BLOCK))
        self._out.flush()

    def _add_directories(self, name: str) -> None:
        parts = name.split("/")
        for count in range(1, len(parts)):
            parent = "/".join(parts[:count])
            if not self.has(parent):
                self._start(parent, tar_header(parent.encode() + b"/", DIRECTORY, mode=0o755))

    def _start(self, name: str, header: bytes) -> None:
        self._out.write(header)
        self._names.add(name)
