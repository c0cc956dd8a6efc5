"""Making all layers of an image at once: fetched and unpacked side by side, finished in order."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.deleting import delete_doomed
from engine.images.digest import chain_ids
from engine.images.side_by_side import SideBySide
from engine.state.space import DiskFull, check_room

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from concurrent.futures import Future

    from engine.images.image import Progress
    from engine.images.store import Store

    Waiting = Callable[[], None]  # called while another command has the content in its hands

PARALLEL_LAYERS = 3
_DAMAGE = ("invalid-layer", "wrong-digest", "wrong-size")  # as what a damaged blob shows itself
WAITING = "Waiting for another command that fetches it"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSource:
    """Where the content of one layer comes from.

    subject      what it is called in messages: 12 digits of its digest
    blob_digest  what `pieces` are kept as and verified against; None where that is not known
                 before they have been read: then they are kept here
    size_bytes   of the pieces together, for the progress
    is_elsewhere told how pieces that came were damaged: whether there is somebody else to have them
                 from, as `pieces` are from then on
    """

    subject: str
    diff_id: str
    blob_digest: str | None
    size_bytes: int | None
    pieces: Callable[[Waiting], Generator[bytes, None, None]]
    is_elsewhere: Callable[[ImageProblem], bool] = lambda problem: False


def assemble(
    store: Store,
    sources: Sequence[LayerSource],
    progress: Progress,
    wake: Callable[[], None] | None = None,
) -> tuple[str, ...]:
    """Have every layer in the store, lowest first; their chain ids. The caller holds the store.

    wake  ends what the sources may be waiting for, when we are interrupted

    Layers that are here are not fetched. Raises what the first failing layer raised, or what
    `progress` raised: that is the way to stop.
    """
    chain = chain_ids([source.diff_id for source in sources])
    _check_room(store, sources, chain)
    with SideBySide(PARALLEL_LAYERS, wake) as team:
        below: Future[None] | None = None
        for position, source in enumerate(sources):
            layer = _Layer(store, source, chain[: position + 1], below, progress, team.check)
            below = team.start(layer.make)
    return chain


def _check_room(store: Store, sources: Sequence[LayerSource], chain: Sequence[str]) -> None:
    """For the blobs that are missing: they are kept as they come."""
    needed = sum(
        source.size_bytes or 0
        for source, entry in zip(sources, chain, strict=True)
        if not store.layers.has(entry)
        and not (source.blob_digest is not None and store.blobs.has(source.blob_digest))
    )
    try:
        check_room(store.temporary, needed, "the image")
    except DiskFull:
        delete_doomed(store.temporary, None)  # what was removed may still be on the disk
        check_room(store.temporary, needed, "the image")


@dataclass(frozen=True, slots=True)
class _Layer:
    store: Store
    source: LayerSource
    chain: tuple[str, ...]  # up to and with this layer
    below: Future[None] | None
    progress: Progress
    check: Callable[[], None]  # raises where another layer has failed

    def make(self) -> None:
        source = self.source
        with self.store.layers.making(self.chain[-1], self._waiting()) as wanted:
            if wanted:
                self._unpack()
            elif self._lacks_blob():
                for _ in self._pieces([]):
                    pass
        text = "Pull complete" if wanted else "Already exists"
        self.progress(source.subject, text, source.size_bytes, source.size_bytes)

    def _lacks_blob(self) -> bool:
        """Whether the layer is here, but not what it was unpacked from."""
        layer, digest = self.store.records.find_layer(self.chain[-1]), self.source.blob_digest
        return (
            layer is not None
            and digest is not None
            and layer.blob_digest == digest
            and not self.store.blobs.has(digest)
        )

    def _waiting(self) -> Callable[[], None]:
        """Says, once, that another command is at work on it, and then how far that one is."""
        source = self.source
        total = source.size_bytes
        said = False

        def waiting() -> None:
            nonlocal said
            self.check()
            if not said:
                self.progress(source.subject, WAITING, None, None)
                said = True
            here = self.store.blobs.ingested_bytes(source.blob_digest) if source.blob_digest else 0
            self.progress(source.subject, WAITING, min(here, total - 1) if total else 0, total)

        return waiting

    def _unpack(self) -> None:
        """Where what came of the blob turns out to be damaged, it is fetched again if that may give
        something else."""
        digest = self.source.blob_digest
        while True:
            had_part = digest is not None and self.store.blobs.has_part(digest)
            try:
                return self._unpack_once()
            except ImageProblem as problem:
                if problem.code not in _DAMAGE or digest is None:
                    raise
                if not self._may_differ(digest, had_part, problem):
                    raise

    def _may_differ(self, digest: str, had_part: bool, problem: ImageProblem) -> bool:
        """Whether what is damaged, and gone now, was here before, or can be had from others."""
        was_damaged = self.store.blobs.remove_damaged(digest)
        if had_part and was_damaged:
            self.progress(self.source.subject, f"damaged blob {digest}: again", None, None)
            return True
        return self.source.is_elsewhere(problem)

    def _unpack_once(self) -> None:
        source = self.source
        found: list[str] = []
        with self.store.layers.unpacked(self._pieces(found), source.subject) as (
            directory,
            unpacked,
        ):
            if self.below is not None:
                self.below.result()
            self.store.layers.finish(
                directory,
                unpacked,
                self.chain[:-1],
                diff_id=source.diff_id,
                blob_digest=source.blob_digest or found[0],
                subject=f"layer {source.subject}",
            )
            for warning in unpacked.warnings:
                self.progress(source.subject, warning, None, None)

    def _pieces(self, found: list[str]) -> Generator[bytes, None, None]:
        """With the digest in `found` at the end, where it was not known before."""
        done_bytes = 0
        given = self.source.pieces(self._waiting())
        if self.source.blob_digest is None:
            given = self.store.blobs.recorded(given, found)
        with contextlib.closing(given) as pieces:
            for piece in pieces:
                self.check()
                done_bytes += len(piece)
                subject, total_bytes = self.source.subject, self.source.size_bytes
                self.progress(subject, "Downloading", done_bytes, total_bytes)
                yield piece
