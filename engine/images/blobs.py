"""Blobs by digest, laid out as in an OCI image layout: `blobs/sha256/<hex>`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.deleting import doom
from engine.images.digest import parse_digest, sha256, wrong_digest
from engine.state.locks import locked
from engine.state.space import DiskFull, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from engine.state.paths import Roots

_PIECE_BYTES = 1024 * 1024
_ABANDONED_S = 24 * 3600.0


class BlobStore:
    """Content that is what its name says. A blob is complete or not there."""

    def __init__(self, roots: Roots) -> None:
        self.directory = roots.blobs
        self._temporary = roots.temporary

    def path(self, digest: str) -> str:
        """Where the blob is, or would be. Raises ImageProblem on what is not a digest."""
        algorithm, _, hexadecimal = parse_digest(digest).partition(":")
        return f"{self.directory}/{algorithm}/{hexadecimal}"

    def has(self, digest: str) -> bool:
        """Whether the blob is here."""
        return os.path.exists(self.path(digest))

    def add(self, data: bytes) -> str:
        """Keep `data`; its digest. May be repeated."""
        digest = sha256(data)
        if not self.has(digest):
            fd, path = tempfile.mkstemp(prefix="blob-", dir=self._temporary)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            self.adopt(path, digest)
        return digest

    def read(self, digest: str) -> bytes:
        """A small blob, verified."""
        return b"".join(self.pieces(digest))

    def find(self, digest: str) -> bytes | None:
        """A small blob, verified; None where it is not here, or damaged and therefore gone."""
        try:
            return self.read(digest)
        except FileNotFoundError:
            return None
        except ImageProblem:
            self.remove(digest)
            return None

    def has_part(self, digest: str) -> bool:
        """Whether the blob is here, or what an interrupted command had of it."""
        return self.has(digest) or os.path.exists(self._partial(digest))

    def remove_damaged(self, digest: str) -> bool:
        """Remove what is here of a blob, unless it is all of it; whether something was removed.
        While another command fetches it, that is waited for."""
        with contextlib.suppress(FileNotFoundError), locked(f"{self._partial(digest)}.lock"):
            os.unlink(self._partial(digest))
            return True
        if not self.has(digest) or not self.is_damaged(digest):
            return False
        self.remove(digest)
        return True

    def is_damaged(self, digest: str) -> bool:
        """Whether a blob that is here is not what its name says; all of it is read."""
        try:
            for _ in self.pieces(digest):
                pass
        except ImageProblem:
            return True
        return False

    def adopt(self, path: str, digest: str) -> None:
        """Take the file `path`, whose content has been verified, into the store."""
        target = self.path(digest)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        os.chmod(path, 0o400)
        os.rename(path, target)

    def pieces(self, digest: str) -> Generator[bytes, None, None]:
        """The content of a blob that is here. Raises ImageProblem (`wrong-digest`) at its end."""
        algorithm, _, expected = digest.partition(":")
        hashed = hashlib.new(algorithm)
        with open(self.path(digest), "rb") as file:
            while piece := file.read(_PIECE_BYTES):
                hashed.update(piece)
                yield piece
        if hashed.hexdigest() != expected:
            found = f"{algorithm}:{hashed.hexdigest()}"
            raise wrong_digest(f"the blob {self.path(digest)}", digest, found)

    def ingest(
        self,
        digest: str,
        fetch: Callable[[int], Iterator[bytes]],
        waiting: Callable[[], None] | None = None,
    ) -> Generator[bytes, None, None]:
        """The content of a blob, kept while it passes through.

        fetch    gives the content from an offset on. What an interrupted command had of the blob
                 is used first, so that it is not fetched twice.
        waiting  called while another command fetches it

        Of several commands that want the same blob one fetches it; the others wait and read it.
        Raises ImageProblem (`wrong-digest`) at the end of what is not the blob.
        """
        if self.has(digest):
            yield from self.pieces(digest)
            return
        partial = self._partial(digest)
        os.makedirs(os.path.dirname(partial), mode=0o700, exist_ok=True)
        with locked(f"{partial}.lock", waiting=waiting):
            if self.has(digest):
                yield from self.pieces(digest)
                return
            try:
                with writing(self.directory, f"blob {digest}"):
                    yield from self._fetched(digest, partial, fetch)
            except DiskFull:  # what there is of it would be in the way of all else
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial)
                raise

    def ingested_bytes(self, digest: str) -> int:
        """How much is here of a blob that is being fetched."""
        try:
            return os.path.getsize(self._partial(digest))
        except FileNotFoundError:
            return 0

    def _partial(self, digest: str) -> str:
        return f"{self.directory}/ingest/{parse_digest(digest).partition(':')[2]}"

    def _fetched(
        self, digest: str, partial: str, fetch: Callable[[int], Iterator[bytes]]
    ) -> Iterator[bytes]:
        algorithm, _, expected = digest.partition(":")
        hashed = hashlib.new(algorithm)
        with open(partial, "a+b") as file:
            file.seek(0)
            while piece := file.read(_PIECE_BYTES):
                hashed.update(piece)
                yield piece
            resumed_at = file.tell()
            for piece in fetch(resumed_at):
                hashed.update(piece)
                file.write(piece)
                yield piece
        if hashed.hexdigest() != expected:
            if not resumed_at:  # else it may be the beginning that is damaged
                os.unlink(partial)
            raise wrong_digest("a blob", digest, f"{algorithm}:{hashed.hexdigest()}")
        self.adopt(partial, digest)

    def recorded(self, pieces: Iterator[bytes], found: list[str]) -> Generator[bytes, None, None]:
        """Pass `pieces` on and keep them as a blob, whose digest is put into `found` at the end."""
        hashed = hashlib.sha256()
        fd, path = tempfile.mkstemp(prefix="blob-", dir=self._temporary)
        try:
            with writing(self.directory, "a blob"), os.fdopen(fd, "wb") as file:
                for piece in pieces:
                    hashed.update(piece)
                    file.write(piece)
                    yield piece
            found.append(f"sha256:{hashed.hexdigest()}")
            self.adopt(path, found[0])
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def remove(self, digest: str) -> None:
        """Accepts absence."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(digest))

    def digests(self) -> list[str]:
        """Every blob that is here."""
        if not os.path.isdir(self.directory):
            return []
        return [
            f"{algorithm}:{name}"
            for algorithm in os.listdir(self.directory)
            if algorithm != "ingest"
            for name in os.listdir(f"{self.directory}/{algorithm}")
        ]

    def sweep(self, used: set[str], *, half_fetched: bool = False) -> None:
        """Put away every blob that is not in `used`, and remove what was half fetched long ago.

        half_fetched  or at any time; nobody may be fetching
        """
        for digest in self.digests():
            if digest not in used:
                doom(self.path(digest), self._temporary)
        ingest = f"{self.directory}/ingest"
        for name in os.listdir(ingest) if os.path.isdir(ingest) else []:
            age_s = time.time() - os.stat(f"{ingest}/{name}").st_mtime
            if half_fetched or age_s > _ABANDONED_S:
                os.unlink(f"{ingest}/{name}")
