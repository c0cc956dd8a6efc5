"""The files of an archive: in a directory, or in a tar that may be compressed."""

from __future__ import annotations

import contextlib
import os
import posixpath
import sys
import tarfile
import tempfile
from typing import TYPE_CHECKING, BinaryIO, Protocol

from engine.errors import ImageProblem
from engine.images.config import LARGEST_DOCUMENT_BYTES
from engine.images.decompress import decompressed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_PIECE_BYTES = 1024 * 1024


class Files(Protocol):
    """Named files, to be read from any thread."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def size(self, name: str) -> int:
        """In bytes. Raises ImageProblem where there is no such file."""

    def pieces(self, name: str, offset: int = 0) -> Generator[bytes, None, None]:
        """The content from `offset` on. Raises ImageProblem where there is no such file."""


def read_document(files: Files, name: str) -> bytes:
    """A small file, whole. Raises ImageProblem where it is missing or too large."""
    if files.size(name) > LARGEST_DOCUMENT_BYTES:
        raise ImageProblem(f"{name} in the archive is too large", code="invalid-archive")
    return b"".join(files.pieces(name))


@contextlib.contextmanager
def opened(path: str, temporary: str) -> Iterator[Files]:
    """The files of the directory or tar at `path`; `-` is standard input.

    What is compressed or not a regular file is first written out below `temporary`.
    Raises ImageProblem (`no-such-file`, `invalid-archive`).
    """
    if path != "-" and os.path.isdir(path):
        yield _Directory(path)
        return
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(stream(path))
        if _is_plain_tar(source):
            place = path if path != "-" else f"/proc/self/fd/{source.fileno()}"
        else:
            place = stack.enter_context(_spooled(source, temporary))
        yield _Tar(place, name_of(path))


def name_of(path: str) -> str:
    """What a message calls it."""
    return "standard input" if path == "-" else path


@contextlib.contextmanager
def stream(path: str) -> Iterator[BinaryIO]:
    """The file at `path`, or standard input for `-`. Raises ImageProblem."""
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise ImageProblem(f"{path}: {error.strerror}", code="no-such-file") from None
    with file:
        yield file


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """A file in pieces, from where it stands."""
    return iter(lambda: file.read(_PIECE_BYTES), b"")


def _is_plain_tar(file: BinaryIO) -> bool:
    if not file.seekable() or file.tell():
        return False
    start = file.read(512)
    file.seek(0)
    return start[257:262] == b"ustar" or not start


@contextlib.contextmanager
def _spooled(file: BinaryIO, temporary: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile(prefix="archive-", dir=temporary) as copy:
        for piece in decompressed(pieces_of(file)):
            copy.write(piece)
        copy.flush()
        yield copy.name


class _Directory:
    """An OCI layout as a directory."""

    def __init__(self, path: str) -> None:
        self._path = path

    def has(self, name: str) -> bool:
        return os.path.isfile(self._file(name))

    def size(self, name: str) -> int:
        if not self.has(name):
            raise _missing(name)
        return os.path.getsize(self._file(name))

    def pieces(self, name: str, offset: int = 0) -> Generator[bytes, None, None]:
        self.size(name)
        with open(self._file(name), "rb") as file:
            file.seek(offset)
            yield from pieces_of(file)

    def _file(self, name: str) -> str:
        return f"{self._path}/{name}"


class _Tar:
    """The members of a tar by name; each reader opens the file anew. `given` is what the user
    called it."""

    def __init__(self, path: str, given: str) -> None:
        self._path = path
        self._members: dict[str, tarfile.TarInfo] = {}
        try:
            with tarfile.open(path, "r:") as tar:
                for member in tar:
                    self._members[posixpath.normpath(member.name)] = member
        except tarfile.TarError as error:
            raise ImageProblem(
                f"{given} is not an archive: {error}", code="invalid-archive"
            ) from None

    def has(self, name: str) -> bool:
        return self._find(name) is not None

    def size(self, name: str) -> int:
        return self._get(name).size

    def pieces(self, name: str, offset: int = 0) -> Generator[bytes, None, None]:
        member = self._get(name)
        left = member.size - offset
        with open(self._path, "rb") as file:
            file.seek(member.offset_data + offset)
            while left > 0:
                piece = file.read(min(left, _PIECE_BYTES))
                if not piece:
                    raise ImageProblem(f"the archive ends within {name}", code="invalid-archive")
                left -= len(piece)
                yield piece

    def _get(self, name: str) -> tarfile.TarInfo:
        member = self._find(name)
        if member is None:
            raise _missing(name)
        return member

    def _find(self, name: str) -> tarfile.TarInfo | None:
        """Old `docker save` writes a repeated layer as a symlink to the first one."""
        name = posixpath.normpath(name)
        member = self._members.get(name)
        if member is not None and member.issym():
            target = posixpath.join(posixpath.dirname(name), member.linkname)
            member = self._members.get(posixpath.normpath(target))
        elif member is not None and member.islnk():
            member = self._members.get(posixpath.normpath(member.linkname))
        return member if member is not None and member.isreg() else None


def _missing(name: str) -> ImageProblem:
    return ImageProblem(f"the archive lacks {name}", code="invalid-archive")
