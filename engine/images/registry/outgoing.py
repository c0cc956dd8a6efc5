"""What is sent of an image: its manifest and blobs as they came here, or made of its layers."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.compress import gzipped
from engine.images.content import uncompressed
from engine.images.decompress import GZIP, is_zstd
from engine.images.digest import sha256
from engine.images.manifest import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    parse_document,
)
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from engine.images.image import Image
    from engine.images.records import LayerRow
    from engine.images.store import Store

    Count = Callable[[int], None]


class KeptManifest(Record):
    """A manifest as it was received.

    layers  those that are to be sent: without what only their publisher may distribute
    """

    data: bytes
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


def kept_manifest(store: Store, digest: str | None) -> KeptManifest | None:
    """That of an image which was pulled or loaded; None where it is not here."""
    data = store.blobs.find(digest) if digest is not None else None
    document = parse_document(data) if data is not None else None
    if data is None or not isinstance(document, Manifest):
        return None
    layers = (one for one in document.layers if not one.is_foreign)
    return KeptManifest(
        data=data,
        media_type=json.loads(data).get("mediaType") or OCI_MANIFEST,
        config=document.config,
        layers=tuple(layers),
    )


def unheard(done_bytes: int) -> None:
    """How far what is small has come is not shown."""


def find_layers(store: Store, image: Image) -> Iterator[LayerRow]:
    """Lowest first. Raises ImageProblem where one is not here."""
    for chain in image.chain_ids:
        row = store.records.find_layer(chain)
        if row is None:
            raise ImageProblem(f"the layer {chain} is not here", code="no-such-layer")
        yield row


def layer_blob(store: Store, layer: LayerRow, count: Count = unheard) -> Descriptor:
    """The compressed content of a layer, which is kept as a blob from now on.

    What was pulled is compressed already, and stays as it is.
    count  is told how many bytes of the uncompressed layer have passed

    Raises ImageProblem (`layer-content`) where the bytes that its diff_id is of are not to be had.
    """
    digest = layer.blob_digest
    if digest is not None and store.blobs.has(digest):
        suffix = _suffix(store.blobs.path(digest))
        if suffix:
            return _described(store, digest, suffix)
    found: list[str] = []
    for piece in store.blobs.recorded(gzipped(_counted(uncompressed(store, layer), count)), found):
        del piece  # written on its way
    store.records.set_layer_blob(layer.chain_id, found[0])
    return _described(store, found[0], "+gzip")


def made_manifest(
    config: bytes,
    layers: Sequence[Descriptor],
    config_type: str = OCI_CONFIG,
    annotations: Mapping[str, str] | None = None,
) -> bytes:
    """An OCI manifest. Source: OCI image-spec manifest.md."""
    described = config_descriptor(config, config_type)
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _written(described),
        "layers": [_written(layer) for layer in layers],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return json.dumps(document, separators=(",", ":")).encode()


def config_descriptor(config: bytes, media_type: str = OCI_CONFIG) -> Descriptor:
    """Of the config of an image, or of an artifact."""
    return Descriptor(media_type=media_type, digest=sha256(config), size=len(config))


def _written(blob: Descriptor) -> dict[str, object]:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size}


def _described(store: Store, digest: str, suffix: str) -> Descriptor:
    size = os.path.getsize(store.blobs.path(digest))
    return Descriptor(media_type=OCI_LAYER + suffix, digest=digest, size=size)


def _suffix(path: str) -> str:
    """Of the media type of a blob, by what it is; empty where it is not compressed."""
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic.startswith(GZIP):
        return "+gzip"
    return "+zstd" if is_zstd(magic) else ""


def _counted(pieces: Iterator[bytes], count: Count) -> Iterator[bytes]:
    done_bytes = 0
    for piece in pieces:
        done_bytes += len(piece)
        count(done_bytes)
        yield piece
