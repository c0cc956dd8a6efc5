"""Writing the tar of an archive, to what may be a pipe. Each name is written once."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = 512


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
        self._start(name, size)
        given = 0
        for piece in pieces:
            given += len(piece)
            self._out.write(piece)
        assert given == size, f"{name} has {given} bytes, not {size}"
        self._out.write(bytes(-size % _BLOCK))

    def finish(self) -> None:
        """The end mark."""
        self._out.write(bytes(2 * _BLOCK))
        self._out.flush()

    def _add_directories(self, name: str) -> None:
        parts = name.split("/")
        for count in range(1, len(parts)):
            parent = "/".join(parts[:count])
            if not self.has(parent):
                self._start(parent, 0, tarfile.DIRTYPE)

    def _start(self, name: str, size: int, kind: bytes = tarfile.REGTYPE) -> None:
        info = tarfile.TarInfo(name + "/" * (kind == tarfile.DIRTYPE))
        info.size, info.type = size, kind
        info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        self._out.write(info.tobuf(tarfile.PAX_FORMAT))
        self._names.add(name)
