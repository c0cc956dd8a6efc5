"""Which files of an unpacked layer are not as the layer's tar has them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from engine.images.apply import WHITEOUT
from engine.images.lowers import Lowers, opened, without_links
from engine.images.members import clean_name
from engine.images.tar import FILE, TarReader
from engine.kernel.openat2 import open_in_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PIECE_BYTES = 1024 * 1024
_REGULAR = (FILE, b"\0", b"7")


def differences(tar: Iterator[bytes], directory: str, lowers: Iterable[str]) -> Iterator[str]:
    """Paths of the regular files that are missing or have other content. `tar` is read to its end;
    what it raises goes on up.

    lowers  directories of the layers below, top first
    """
    expected = _files(tar)
    with contextlib.ExitStack() as stack:
        layers = [stack.enter_context(opened(one)) for one in (directory, *lowers)]
        find_link = functools.cache(Lowers(layers).find_link)
        for path, content in expected.items():
            if not any(_is(layers[0], at, content) for at in _places(path, find_link)):
                yield path.decode(errors="backslashreplace")


def _places(path: bytes, find_link: Callable[[bytes], bytes | None]) -> Iterator[bytes]:
    """Where the file is: by its name, or where a link below it leads (engine.images.redirect)."""
    yield path
    parent, _, name = path.rpartition(b"/")
    real = without_links(parent, find_link)
    if real is not None:
        yield real + b"/" + name


def _files(tar: Iterator[bytes]) -> dict[bytes, tuple[int, bytes]]:
    """Size and digest of each file that is still there when all members have been applied; sparse
    ones are left out, for their holes have no content."""
    found: dict[bytes, tuple[int, bytes]] = {}
    reader = TarReader(_Stream(tar).read)
    for entry in reader:
        path = clean_name(entry, entry.name)
        found.pop(path, None)
        if entry.type in _REGULAR and entry.extents is None and WHITEOUT not in path:
            digest = hashlib.sha256()
            for piece in reader.data():
                digest.update(piece)
            found[path] = entry.size, digest.digest()
    reader.drain()
    return found


def _is(root: int, path: bytes, content: tuple[int, bytes]) -> bool:
    try:
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size != content[0]:
            return False
        return hashlib.file_digest(file, "sha256").digest() == content[1]


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
