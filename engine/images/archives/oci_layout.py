"""OCI layouts: `index.json` and `blobs/`. Source: OCI image-spec image-layout.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.archives.files import read_document
from engine.images.archives.prepared import Prepared
from engine.images.assemble import LayerSource
from engine.images.config import diff_ids, parse_config_document
from engine.images.digest import verify
from engine.images.manifest import DEEPEST_INDEX, Index, choose, parse_document
from engine.images.platform import host_platform
from engine.images.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.images.archives.files import Files
    from engine.images.image import Progress
    from engine.images.manifest import Descriptor, Manifest
    from engine.images.store import Store

INDEX = "index.json"
REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"


def load_oci_layout(store: Store, files: Files, progress: Progress) -> Iterator[str]:
    """The ids of the images in the layout, each recorded under its complete name if it has one.
    All of them are looked at before the first is made."""
    prepared = [_prepared(store, files, entry, _names(entry)) for entry in _entries(files)]
    return (image.make(store, progress) for image in prepared)


def load_from_oci_layout(
    store: Store, files: Files, tag: str | None, name: str, progress: Progress
) -> str:
    """The id of the image that the layout calls `tag`, or of its only one, recorded as `name`."""
    entries = _entries(files)
    if tag is not None:
        entries = tuple(e for e in entries if dict(e.annotations).get(REF_NAME) == tag)
    if len(entries) != 1:
        tags = ", ".join(dict(e.annotations).get(REF_NAME, "?") for e in _entries(files))
        raise ImageProblem(
            f"{name} names {len(entries)} images",
            hint=f"the layout has: {tags or 'none'}",
            code="no-such-image",
        )
    return _prepared(store, files, entries[0], [name]).make(store, progress)


def _entries(files: Files) -> tuple[Descriptor, ...]:
    document = parse_document(read_document(files, INDEX))
    if not isinstance(document, Index):
        raise ImageProblem(f"{INDEX} is not an index", code="invalid-archive")
    return document.manifests


def _names(entry: Descriptor) -> list[str]:
    annotations = dict(entry.annotations)
    name = annotations.get(FULL_NAME) or annotations.get(REF_NAME)
    return [str(parse_reference(name))] if name and ":" in name else []


def _prepared(store: Store, files: Files, entry: Descriptor, names: list[str]) -> Prepared:
    data, manifest = _manifest(files, entry)
    config = _blob(files, manifest.config)
    expected = diff_ids(parse_config_document(config))
    if len(expected) != len(manifest.layers):
        raise ImageProblem(
            "the manifest and the config differ in their layers", code="invalid-manifest"
        )
    pairs = zip(manifest.layers, expected, strict=True)
    return Prepared(
        config=config,
        names=names,
        layers=[_source(store, files, layer, diff_id) for layer, diff_id in pairs],
        manifest=data,
        digest=entry.digest,
    )


def _manifest(files: Files, entry: Descriptor) -> tuple[bytes, Manifest]:
    for _ in range(DEEPEST_INDEX):
        data = _blob(files, entry)
        document = parse_document(data, entry.media_type)
        if not isinstance(document, Index):
            return data, document
        chosen = choose(document, host_platform())
        if chosen is None:
            raise ImageProblem(f"the image is not for {host_platform()}", code="no-such-platform")
        entry = chosen
    raise ImageProblem("indexes are nested too deeply", code="invalid-manifest")


def _source(store: Store, files: Files, layer: Descriptor, diff_id: str) -> LayerSource:
    name = _path(layer)
    return LayerSource(
        subject=layer.short,
        diff_id=diff_id,
        blob_digest=layer.digest,
        size_bytes=files.size(name),
        pieces=lambda waiting: store.blobs.ingest(
            layer.digest, lambda offset: files.pieces(name, offset), waiting
        ),
    )


def _blob(files: Files, descriptor: Descriptor) -> bytes:
    data = read_document(files, _path(descriptor))
    verify(data, descriptor.digest, "a blob of the layout")
    return data


def _path(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.replace(':', '/')}"
