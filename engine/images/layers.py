"""Unpacked layers by chain id: `layers/<hex>`, each a lower directory for overlay mounts."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

from engine.images.decompress import decompressed
from engine.images.deleting import doom
from engine.images.diff import diff_id_of, layer_tar
from engine.images.digest import chain_id, parse_digest, wrong_digest
from engine.images.layout import layer_directory, lower_directories
from engine.images.records import LayerRow
from engine.images.settle import settle
from engine.images.unpack import unpack
from engine.state.locks import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from engine.images.records import Records
    from engine.images.unpack import Unpacked
    from engine.state.paths import Roots

TEMPORARY_PREFIX = "layer-"


class LayerStore:
    """Layers are complete or not there: a row and a directory, made in a temporary one, renamed.

    The rename comes first: a directory without a row was not finished with, and is made again.
    """

    def __init__(self, roots: Roots, records: Records) -> None:
        self._roots = roots
        self._records = records

    def path(self, chain: str) -> str:
        """The directory of a layer."""
        return layer_directory(self._roots, chain)

    def has(self, chain: str) -> bool:
        """Whether the layer is here, complete."""
        return self._records.find_layer(chain) is not None and os.path.isdir(self.path(chain))

    @contextlib.contextmanager
    def making(self, chain: str, waiting: Callable[[], None] | None = None) -> Iterator[bool]:
        """Exclude other makers of the layer; False where it is here already. `waiting` is called
        while one is at work."""
        path = f"{self._roots.layers}/.{parse_digest(chain).partition(':')[2]}.lock"
        with locked(path, waiting=waiting):
            yield not self.has(chain)

    @contextlib.contextmanager
    def unpacked(
        self, pieces: Generator[bytes, None, None], subject: str
    ) -> Iterator[tuple[str, Unpacked]]:
        """A layer unpacked from a stream, compressed or not, into a temporary directory.

        Pass both to `finish` before the block ends: with it, what was not finished goes. The
        stream is closed whatever happens: it may hold the lock of a blob.
        """
        directory = self._temporary()
        try:
            with contextlib.closing(pieces):
                unpacked = unpack(decompressed(pieces), directory, subject)
            yield directory, unpacked
        finally:
            doom(directory, self._roots.temporary)

    def finish(
        self,
        directory: str,
        unpacked: Unpacked,
        parents: Sequence[str],
        *,
        diff_id: str | None,
        blob_digest: str | None,
        subject: str,
    ) -> str:
        """Keep an unpacked layer on top of `parents` (chain ids, lowest first); its chain id.

        diff_id  what the config promises; None where there is no promise.
        """
        if diff_id is not None and unpacked.diff_id != diff_id:
            raise wrong_digest(f"{subject}, unpacked,", diff_id, unpacked.diff_id)
        settle(directory, unpacked, lower_directories(self._roots, parents), subject)
        return self._keep(
            directory, unpacked.diff_id, parents, unpacked.size_bytes, blob_digest=blob_digest
        )

    def add(self, upper: str, parents: Sequence[str]) -> str:
        """Move an overlay's upper directory into the store as a layer; its chain id.

        What is there already under that chain id stays, and `upper` is removed.
        """
        os.chmod(upper, 0o755)
        diff_id, size_bytes = diff_id_of(upper)
        chain = chain_id(parents[-1] if parents else None, diff_id)
        with self.making(chain) as wanted:
            if wanted:
                self._keep(upper, diff_id, parents, size_bytes, blob_digest=None)
            else:
                doom(upper, self._roots.temporary)
        return chain

    def copy(self, upper: str, parents: Sequence[str], clean: Callable[[str], None]) -> str:
        """`add` of a copy, which `clean` has gone over."""
        with self.unpacked(layer_tar(upper), "the layer") as (directory, unpacked):
            settle(directory, unpacked, lower_directories(self._roots, parents), "the layer")
            clean(directory)
            return self.add(directory, parents)

    def copy_onto(self, chain: str, parents: Sequence[str]) -> str:
        """A layer that is here, unchanged on top of others: to the bit, so that where its blob is
        already it is not sent again. Raises ImageProblem where it is not what it was."""
        row = self._records.find_layer(chain)
        assert row is not None  # the caller has looked
        copy = chain_id(parents[-1] if parents else None, row.diff_id)
        with self.making(copy) as wanted:
            if not wanted:
                return copy
            subject = f"the layer {chain}"
            with self.unpacked(layer_tar(self.path(chain)), subject) as (directory, unpacked):
                return self.finish(
                    directory,
                    unpacked,
                    parents,
                    diff_id=row.diff_id,
                    blob_digest=row.blob_digest,
                    subject=subject,
                )

    def remove(self, chain: str) -> None:
        """Accepts absence. The caller knows that nothing uses the layer, and has it deleted."""
        self._records.remove_layer(chain)
        doom(self.path(chain), self._roots.temporary)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._roots.layers}/.{chain.partition(':')[2]}.lock")

    def sweep(self, used: set[str]) -> None:
        """Remove every layer that is neither in `used` nor below one that is, and all leftovers.

        Only under the store's exclusive lock: nobody is making one.
        """
        rows = {row.chain_id: row for row in self._records.layer_rows()}
        kept: set[str] = set()
        for chain in used:
            while chain in rows and chain not in kept:
                kept.add(chain)
                chain = rows[chain].parent or ""
        for chain in rows.keys() - kept:
            self.remove(chain)

    def doom_unfinished(self) -> None:
        """Put away directories that no row is of, and their locks. As for `sweep`."""
        known = {row.chain_id.partition(":")[2] for row in self._records.layer_rows()}
        for name in os.listdir(self._roots.layers):
            if name.strip(".").removesuffix(".lock") not in known:
                doom(f"{self._roots.layers}/{name}", self._roots.temporary)

    def _temporary(self) -> str:
        directory = tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=self._roots.temporary)
        os.chmod(directory, 0o755)  # the root directory of an overlay is that of its top layer
        return directory

    def _keep(
        self,
        directory: str,
        diff_id: str,
        parents: Sequence[str],
        size_bytes: int,
        *,
        blob_digest: str | None,
    ) -> str:
        parent = parents[-1] if parents else None
        chain = chain_id(parent, diff_id)
        target = self.path(chain)
        if os.path.isdir(target):  # left by a command that was killed before it was recorded
            doom(target, self._roots.temporary)
        os.rename(directory, target)
        self._records.add_layer(
            LayerRow(
                chain_id=chain,
                diff_id=diff_id,
                parent=parent,
                blob_digest=blob_digest,
                size_bytes=size_bytes,
            )
        )
        return chain
