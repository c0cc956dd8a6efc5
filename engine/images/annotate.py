"""Annotations of an image that was made here: they are of its manifest, not of its config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.images.registry.outgoing import find_layers, layer_blob, made_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.images.image import Image
    from engine.images.store import Store


def annotate(store: Store, image: Image, annotations: Mapping[str, str]) -> None:
    """Have a manifest with `annotations`, and the compressed layers that it names: what is pushed,
    and saved as `oci`, from now on. The caller holds the store. Raises ImageProblem."""
    layers = [layer_blob(store, row) for row in find_layers(store, image)]
    data = made_manifest(store.blobs.read(image.id), layers, annotations=annotations)
    store.records.set_manifest(image.id, store.blobs.add(data))
