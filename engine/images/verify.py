"""Looking whether what is kept of an image is what it should be: every byte of it is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.assemble import LayerSource, assemble
from engine.images.content import uncompressed
from engine.images.deleting import doom
from engine.images.differences import differences
from engine.images.reference import parse_reference
from engine.images.registry.pull import pull
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.images.image import Image, Progress
    from engine.images.records import LayerRow
    from engine.images.store import Store


class Damage(Record):
    """One piece of an image that is damaged or missing.

    blob   its digest, or
    layer  its chain id, of a layer whose files are not what they should be
    what   in words
    """

    what: str
    blob: str | None = None
    layer: str | None = None


def verify(store: Store, image: Image) -> list[Damage]:
    """All that is wrong with an image; nothing is changed. The caller holds the store."""
    found: list[Damage] = []
    for digest in (image.id, image.manifest_digest):
        if digest is not None:
            found += _blob(store, digest)
    lowers: list[str] = []
    for chain in image.chain_ids:
        row = store.records.find_layer(chain)
        if row is None:
            found.append(Damage(what=f"layer {chain} is not on record", layer=chain))
        else:
            found += _layer(store, row, filter(os.path.isdir, lowers))
        lowers.insert(0, store.layers.path(chain))
    return found


def repair(store: Store, image: Image, damage: Sequence[Damage], progress: Progress) -> None:
    """Have what is damaged again: from the blobs that are here, or else from the registry.

    The caller holds the store. Raises ImageProblem: `image-in-use` where a container has a damaged
    layer, `not-repairable` where the image is from no registry, or what the registry says.
    """
    layers = [one.layer for one in damage if one.layer is not None]
    if layers and (users := store.records.containers_of(image.id)):
        raise ImageProblem(
            f"layers of an image that {', '.join(users)} was made from cannot be replaced",
            hint="remove the containers first",
            code="image-in-use",
        )
    for one in damage:
        if one.blob is not None:
            store.blobs.remove(one.blob)
        if one.layer is not None:
            doom(store.layers.path(one.layer), store.temporary)
    rows = [store.records.find_layer(chain) for chain in image.chain_ids]
    if all(row is not None and _is_kept(store, row) for row in rows):
        assemble(store, [_kept(store, row) for row in rows if row is not None], progress)
    if not store.is_whole(image.id):
        _fetch(store, image, progress)


def _blob(store: Store, digest: str) -> Iterator[Damage]:
    if not store.blobs.has(digest):
        yield Damage(what=f"blob {digest} is missing", blob=digest)
    elif store.blobs.is_damaged(digest):
        yield Damage(what=f"blob {digest} is not what its digest says", blob=digest)


def _layer(store: Store, row: LayerRow, lowers: Iterable[str]) -> Iterator[Damage]:
    if row.blob_digest is not None and (damaged := list(_blob(store, row.blob_digest))):
        yield from damaged
        return  # there is nothing to compare the files with
    directory, subject = store.layers.path(row.chain_id), f"layer {row.diff_id}"
    if not os.path.isdir(directory):
        yield Damage(what=f"{subject} is missing", layer=row.chain_id)
        return
    try:
        for path, other in differences(uncompressed(store, row), directory, lowers):
            what = f"{subject}: {path} is not as it was unpacked ({other})"
            yield Damage(what=what, layer=row.chain_id)
    except ImageProblem:  # its tar has been made of its files
        yield Damage(what=f"{subject} is not as it was made", layer=row.chain_id)


def _is_kept(store: Store, row: LayerRow) -> bool:
    return row.blob_digest is not None and store.blobs.has(row.blob_digest)


def _kept(store: Store, row: LayerRow) -> LayerSource:
    digest = row.blob_digest or ""
    return LayerSource(
        subject=digest.partition(":")[2][:12],
        diff_id=row.diff_id,
        blob_digest=digest,
        size_bytes=None,
        pieces=lambda _: store.blobs.pieces(digest),
    )


def _fetch(store: Store, image: Image, progress: Progress) -> None:
    """By digest: the tag may mean another image today."""
    for name in image.references:
        row = store.records.find_reference(name)
        if row is None or row["digest"] is None or ":/" in name:
            continue
        pinned = parse_reference(f"{parse_reference(name).name}@{row['digest']}")
        pull(store, pinned, progress)
        if str(pinned) not in image.references:
            store.records.remove_reference(str(pinned))
        return
    raise ImageProblem(
        f"{image.id} came from no registry: what is damaged cannot be fetched again",
        hint="load or build it again",
        code="not-repairable",
    )
