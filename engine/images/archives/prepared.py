"""An image of an archive, looked at before anything is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.images.assemble import assemble
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.images.assemble import LayerSource
    from engine.images.image import Progress
    from engine.images.store import Store


class Prepared(Record):
    """What there is of it, its config verified.

    names     complete references that it gets
    manifest  its bytes; None for an archive that has none
    digest    of the index or manifest that the names were resolved to
    """

    config: bytes
    names: Sequence[str]
    layers: Sequence[LayerSource]
    manifest: bytes | None = None
    digest: str | None = None

    def make(self, store: Store, progress: Progress) -> str:
        """The id of the image, recorded. The caller holds the store."""
        chain = assemble(store, self.layers, progress)
        return store.register(
            self.config, chain, self.names, manifest=self.manifest, reference_digest=self.digest
        )
