"""What images take on the disk: unpacked layers, and the blobs that they came as."""

from __future__ import annotations

import json

from engine.kernel.record import Record
from engine.state.disk import disk_bytes

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from engine.images.store import Store


class ImagesUsage(Record):
    """What there is of images, by path: layers are directories, blobs are files.

    pieces   bytes on the disk of each
    images   image id -> the pieces it consists of
    cached   pieces that the build cache needs, those of images among them
    blobs    the directory that all blobs are below
    """

    pieces: Mapping[str, int]
    images: Mapping[str, frozenset[str]]
    cached: frozenset[str]
    blobs: str

    def total(self, pieces: Collection[str]) -> int:
        """Bytes of some pieces together."""
        return sum(self.pieces.get(piece, 0) for piece in pieces)

    def of(self, image_ids: Iterable[str]) -> frozenset[str]:
        """Pieces of some images."""
        return frozenset[str]().union(*(self.images.get(one, frozenset()) for one in image_ids))

    def shared(self, image_id: str) -> frozenset[str]:
        """Pieces of an image that other images have, too."""
        return self.images[image_id] & self.of(one for one in self.images if one != image_id)


def observe_images_usage(store: Store) -> ImagesUsage:
    """Look at every file of all layers and blobs: 20 us each."""
    records = store.records
    rows = {row.chain_id: row for row in records.layer_rows()}

    def pieces_of(chains: Iterable[str], blobs: Iterable[str | None] = ()) -> frozenset[str]:
        found = {store.blobs.path(digest) for digest in blobs if digest is not None}
        for chain in chains:
            row = rows.get(chain)
            while row is not None and store.layers.path(row.chain_id) not in found:
                found.add(store.layers.path(row.chain_id))
                if row.blob_digest is not None:
                    found.add(store.blobs.path(row.blob_digest))
                row = rows.get(row.parent or "")
        return frozenset(found)

    images = {}
    for image_id in records.image_ids():
        image = records.image_row(image_id)
        if image is not None:
            documents = (image_id, image["manifest_digest"])
            images[image_id] = pieces_of(json.loads(image["chain_ids"]), documents)
    paths = {*map(store.layers.path, rows), *map(store.blobs.path, store.blobs.digests())}
    return ImagesUsage(
        pieces={path: disk_bytes(path) for path in paths},
        images=images,
        cached=pieces_of(records.cached_chain_ids()),
        blobs=store.blobs.directory,
    )
