"""Writing images as archives: what `docker load`, `podman load` and skopeo read.

docker-archive  as `docker save` has written since version 25: an OCI layout of uncompressed layers,
                with the manifest.json that older readers look for
oci             the blobs as they came here, with the same digests as in the registry
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import TYPE_CHECKING, BinaryIO

from engine.images.archives.docker_archive import MANIFEST
from engine.images.archives.oci_layout import FULL_NAME, INDEX, REF_NAME
from engine.images.archives.writer import ArchiveWriter
from engine.images.content import uncompressed
from engine.images.digest import sha256
from engine.images.manifest import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor
from engine.images.reference import find_reference, parse_reference
from engine.images.registry.outgoing import (
    find_layers,
    kept_manifest,
    layer_blob,
    made_manifest,
)
from engine.kernel.record import Record
from engine.state.space import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.images.image import Image
    from engine.images.images import Images
    from engine.images.records import LayerRow
    from engine.images.store import Store

FORMATS = ("docker-archive", "oci")
_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'
_PIECE_BYTES = 1024 * 1024


class Saved(Record):
    """An image to be saved, and the complete names that it is saved under."""

    image: Image
    references: tuple[str, ...]


def selected(images: Images, asked: Sequence[str]) -> list[Saved]:
    """Which images are meant, each once, and the names among them. Raises ImageProblem.

    `mysql` are all tags of mysql, as with `docker save`.
    """
    names: dict[str, list[str]] = {}
    found: dict[str, Image] = {}
    for text in asked:
        for image, name in _meant(images, text):
            found[image.id] = image
            kept = names.setdefault(image.id, [])
            if name is not None and name not in kept:
                kept.append(name)
    return [Saved(image=found[one], references=tuple(names[one])) for one in found]


def _meant(images: Images, text: str) -> Iterator[tuple[Image, str | None]]:
    reference = find_reference(text)
    every = reference is not None and "@" not in text and not text.endswith(f":{reference.tag}")
    if reference is not None and every:
        tags = [
            (image, name)
            for image in images.list()
            for name in image.references
            if (own := find_reference(name)) and own.name == reference.name and own.tag
        ]
        if tags:
            yield from tags
            return
    image = images.get(text)
    name = None if reference is None else str(reference)
    yield image, name if name in image.references and "@" not in text else None


def save(store: Store, wanted: Sequence[Saved], out: BinaryIO, kind: str) -> None:
    """Write an archive. The caller holds the store.

    Raises ImageProblem (`layer-content`, `wrong-digest`) where something is damaged; what has been
    written is no good then.
    """
    archive = _Archive(store, ArchiveWriter(out), kind)
    for one in wanted:
        archive.add(one)
    archive.finish()


class _Archive:
    def __init__(self, store: Store, writer: ArchiveWriter, kind: str) -> None:
        self._store, self._writer, self._kind = store, writer, kind
        self._entries: list[dict[str, object]] = []  # of index.json
        self._described: list[dict[str, object]] = []  # of manifest.json

    def add(self, saved: Saved) -> None:
        if self._kind == "oci":
            manifest, media_type = self._add_as_it_came(saved.image)
        else:
            manifest, media_type = self._add_uncompressed(saved), OCI_MANIFEST
        self._writer.add(_path(sha256(manifest)), manifest)
        described = {"mediaType": media_type, "digest": sha256(manifest), "size": len(manifest)}
        names = [_annotations(reference) for reference in saved.references] or [{}]
        for name in names:
            more = {"annotations": name} if name else {}
            self._entries.append({**described, **more})

    def finish(self) -> None:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self._entries}
        self._writer.add(INDEX, json.dumps(index).encode())
        if self._described:
            self._writer.add(MANIFEST, json.dumps(self._described).encode())
        self._writer.add("oci-layout", _LAYOUT)
        self._writer.finish()

    def _add_uncompressed(self, saved: Saved) -> bytes:
        layers = [self._add_tar(row) for row in find_layers(self._store, saved.image)]
        config = self._add_config(saved.image)
        self._described.append(
            {
                "Config": _path(saved.image.id),
                "RepoTags": [parse_reference(name).familiar for name in saved.references] or None,
                "Layers": [_path(layer.digest) for layer in layers],
            }
        )
        return made_manifest(config, layers)

    def _add_tar(self, row: LayerRow) -> Descriptor:
        name = _path(row.diff_id)
        with _sized(self._store, row) as (size, pieces):
            self._writer.add_stream(name, size, pieces)
        return Descriptor(media_type=OCI_LAYER, digest=row.diff_id, size=size)

    def _add_as_it_came(self, image: Image) -> tuple[bytes, str]:
        kept = kept_manifest(self._store, image.manifest_digest)
        if kept is not None and all(self._store.blobs.has(one.digest) for one in kept.layers):
            for layer in kept.layers:
                self._add_blob(layer)
            self._add_config(image)
            return kept.data, kept.media_type
        layers = [layer_blob(self._store, row) for row in find_layers(self._store, image)]
        for layer in layers:
            self._add_blob(layer)
        return made_manifest(self._add_config(image), layers), OCI_MANIFEST

    def _add_blob(self, blob: Descriptor) -> None:
        pieces = self._store.blobs.pieces(blob.digest)
        self._writer.add_stream(_path(blob.digest), blob.size, pieces)

    def _add_config(self, image: Image) -> bytes:
        config = self._store.blobs.read(image.id)
        self._writer.add(_path(image.id), config)
        return config


@contextlib.contextmanager
def _sized(store: Store, layer: LayerRow) -> Iterator[tuple[int, Iterator[bytes]]]:
    """The tar of a layer and its size, which a header has to tell before: written out for it, if
    it is not here as it is."""
    if layer.blob_digest == layer.diff_id and store.blobs.has(layer.diff_id):
        pieces = store.blobs.pieces(layer.diff_id)
        yield os.path.getsize(store.blobs.path(layer.diff_id)), pieces
        return
    with tempfile.TemporaryFile(dir=store.temporary) as file:
        with writing(store.temporary, "an uncompressed layer"):
            for piece in uncompressed(store, layer):
                file.write(piece)
            size = file.tell()
            file.seek(0)
        yield size, iter(lambda: file.read(_PIECE_BYTES), b"")


def _annotations(reference: str) -> dict[str, str]:
    """As Docker and containerd write them; the tag alone is what other tools look for."""
    tag = parse_reference(reference).tag
    return {FULL_NAME: reference, **({REF_NAME: tag} if tag else {})}


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
