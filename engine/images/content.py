"""The tar that a layer is, byte for byte: from the blob that it came as, or made again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.decompress import decompressed
from engine.images.diff import layer_tar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.images.records import LayerRow
    from engine.images.store import Store


def uncompressed(store: Store, layer: LayerRow) -> Iterator[bytes]:
    """The tar of a layer, in pieces, which have had its diff_id when the last one has been given.

    Raises ImageProblem (`layer-content`) where the bytes that its diff_id is of are not to be had.
    """
    digest = layer.blob_digest
    if digest is not None and store.blobs.has(digest):
        pieces: Iterator[bytes] = decompressed(store.blobs.pieces(digest))
    else:
        pieces = layer_tar(store.layers.path(layer.chain_id))
    algorithm, _, expected = layer.diff_id.partition(":")
    hashed = hashlib.new(algorithm)
    for piece in pieces:
        hashed.update(piece)
        yield piece
    if hashed.hexdigest() != expected:
        raise ImageProblem(
            f"what layer {expected[:12]} was unpacked from is no longer here",
            hint="pull or load the image again",
            code="layer-content",
        )
