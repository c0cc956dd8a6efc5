"""What a layer's tar says that there is in the layer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from engine.images.apply import WHITEOUT
from engine.images.members import clean_name
from engine.images.tar import DIRECTORY, FILE, TarReader
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.images.tar import Entry


class Expected(Record):
    """One member as it has to be unpacked.

    digest  SHA-256 of the content of a regular file; None for a sparse one, whose holes have none
    """

    entry: Entry
    digest: bytes | None = None


def expected(tar: Iterator[bytes]) -> dict[bytes, Expected]:
    """By path, what is still there when all members have been applied. `tar` is read to its end;
    what it raises goes on up."""
    found: dict[bytes, Expected] = {}
    parents: set[bytes] = set()
    reader = TarReader(_Stream(tar).read)
    for entry in reader:
        path = clean_name(entry, entry.name)
        if not path or path.rpartition(b"/")[2].startswith(WHITEOUT):
            continue
        if entry.type != DIRECTORY and path in parents:
            _forget(found, parents, path + b"/")
        _remember(parents, path)
        digest = _digest(reader) if entry.type == FILE and entry.extents is None else None
        found[path] = Expected(entry=entry, digest=digest)
    reader.drain()
    return found


def _forget(found: dict[bytes, Expected], parents: set[bytes], below: bytes) -> None:
    """What was in a directory that another member has replaced."""
    for path in [path for path in found if path.startswith(below)]:
        del found[path]
    parents -= {path for path in parents if (path + b"/").startswith(below)}


def _remember(parents: set[bytes], path: bytes) -> None:
    parent = path.rpartition(b"/")[0]
    while parent and parent not in parents:
        parents.add(parent)
        parent = parent.rpartition(b"/")[0]


def _digest(reader: TarReader) -> bytes:
    digest = hashlib.sha256()
    for piece in reader.data():
        digest.update(piece)
    return digest.digest()


class _Stream:
    """Pieces, to be read by the number of bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = memoryview(b"")

    def read(self, count: int) -> bytes:
        """Fewer than `count` bytes only at the end."""
        parts: list[memoryview] = []
        while count:
            if not self._buffer:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._buffer = memoryview(piece)
                continue
            parts.append(self._buffer[:count])
            self._buffer = self._buffer[count:]
            count -= len(parts[-1])
        return b"".join(parts)
