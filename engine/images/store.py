"""The store of images: rows, blobs and layers together, and what keeps them consistent.

Whoever adds holds the store's lock shared; the sweep that removes what nothing refers to needs it
alone, and leaves its work to a later one where it cannot have it. So a layer is never taken from
under a command that has yet to record the image it belongs to.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from engine.images.blobs import BlobStore
from engine.images.config import parse_config_document
from engine.images.deleting import PATIENCE_S, delete_doomed, doom, is_doomed
from engine.images.digest import sha256
from engine.images.layers import LayerStore
from engine.images.records import sync_filesystem
from engine.state.locks import locked, locked_if_free
from engine.state.space import DiskFull, with_disk_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.images.records import Records
    from engine.state.paths import Roots


class Store:
    """All that is kept of images under one root."""

    def __init__(self, roots: Roots, records: Records) -> None:
        self._roots = roots
        self.records = records
        self.blobs = BlobStore(roots)
        self.layers = LayerStore(roots, records)

    @property
    def temporary(self) -> str:
        """Where half-made things go while the store is held; what ends with `.lock` stays."""
        return self._roots.temporary

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Nothing is swept while this is held. May be nested.

        What killed commands have left is put away first.
        """
        self._ensure_directories()
        with locked_if_free(self._lock) as alone:
            if alone:
                self._doom_leftovers()
        try:
            with locked(self._lock, shared=True):
                yield
        except Exception as error:
            if isinstance(with_disk_problems(error, self._roots.root), DiskFull):
                self._make_room()
            raise
        finally:
            delete_doomed(self._roots.temporary)

    def _make_room(self) -> None:
        """Layers of an image that could not be completed are of no use to anybody."""
        delete_doomed(self._roots.temporary, None)  # first: what is recorded takes room, too
        with contextlib.suppress(Exception):  # what is told is why the command has failed
            self.sweep(half_fetched=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Nobody else adds, nor sweeps; False where somebody does."""
        self._ensure_directories()
        with locked_if_free(self._lock) as alone:
            yield alone

    def register(
        self,
        config: bytes,
        chain: Sequence[str],
        references: Sequence[str],
        *,
        manifest: bytes | None = None,
        reference_digest: str | None = None,
    ) -> str:
        """Record an image whose layers are here; its id. The caller holds the store.

        reference_digest  of the index or manifest that the references were resolved to
        Raises ImageProblem on a config that cannot be used.
        """
        parse_config_document(config)
        image_id = self.blobs.add(config)
        manifest_digest = None if manifest is None else self.blobs.add(manifest)
        sync_filesystem(self._roots.layers)
        self.records.add_image(
            image_id,
            config.decode(),
            chain,
            references,
            manifest_digest=manifest_digest,
            reference_digest=reference_digest or manifest_digest,
        )
        return image_id

    def create(
        self, config: Mapping[str, object], chain: Sequence[str], references: Sequence[str]
    ) -> str:
        """Record an image made here from layers that are here; its id."""
        rows = [self.records.find_layer(entry) for entry in chain]
        rootfs = {"type": "layers", "diff_ids": [row.diff_id for row in rows if row is not None]}
        document = {**config, "rootfs": rootfs}
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        image_id = sha256(text.encode())
        named = set(references) <= set(self.records.references(image_id))
        if named and self.is_whole(image_id):  # with nothing to write, nor a disk to wait for
            return image_id
        return self.register(text.encode(), chain, references)

    def is_whole(self, image_id: str) -> bool:
        """Whether all that an image consists of is here; nothing is read for it."""
        row = self.records.image_row(image_id)
        if row is None:
            return False
        blobs = {image_id, row["manifest_digest"] or image_id}
        for chain in json.loads(row["chain_ids"]):
            layer = self.records.find_layer(chain)
            if layer is None or not self.layers.has(chain):
                return False
            blobs.add(layer.blob_digest or image_id)
        return all(map(self.blobs.has, blobs))

    def sweep(self, wait_s: float | None = PATIENCE_S, *, half_fetched: bool = False) -> bool:
        """Remove layers and blobs that nothing refers to; False where somebody is adding.

        wait_s        seconds to wait for the disk; None: until all is deleted
        half_fetched  also what an interrupted command had of blobs, to fetch only the rest
        """
        with self.alone() as alone:
            if alone:
                self._doom_leftovers()
                self.layers.sweep(self.records.used_chain_ids())
                self.blobs.sweep(self.records.used_blobs(), half_fetched=half_fetched)
        delete_doomed(self._roots.temporary, wait_s)
        return alone

    def _doom_leftovers(self) -> None:
        """Half-made things of commands that were killed: who makes something holds the store."""
        for name in os.listdir(self._roots.temporary):
            if not name.endswith(".lock") and not is_doomed(name):
                doom(f"{self._roots.temporary}/{name}", self._roots.temporary)
        self.layers.doom_unfinished()

    @property
    def _lock(self) -> str:
        return f"{self._roots.root}/images.lock"

    def _ensure_directories(self) -> None:
        """Out of reach of the host's users: layers hold setuid programs (CVE-2021-41091)."""
        os.makedirs(self._roots.root, mode=0o711, exist_ok=True)
        for directory in (self._roots.layers, self._roots.blobs, self._roots.temporary):
            os.makedirs(directory, mode=0o700, exist_ok=True)
