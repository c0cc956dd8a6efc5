"""Pushing an image: its blobs side by side, then the manifest under its tag."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.digest import sha256
from engine.images.manifest import OCI_MANIFEST, Manifest, parse_document
from engine.images.reference import parse_reference
from engine.images.registry.errors import wrong_answer
from engine.images.registry.http import read_some
from engine.images.registry.outgoing import (
    config_descriptor,
    kept_manifest,
    layer_blob,
    made_manifest,
    unheard,
)
from engine.images.registry.transport import Transport
from engine.images.registry.upload import Upload, has_blob, start_upload
from engine.images.side_by_side import SideBySide
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.images.image import Image, Progress
    from engine.images.manifest import Descriptor
    from engine.images.reference import Reference
    from engine.images.registry.outgoing import KeptManifest
    from engine.images.registry.upload import Tell
    from engine.images.store import Store

PARALLEL_LAYERS = 5
_MOST_SOURCES = 8  # each is a scope of the token


class Pushed(Record):
    """What the registry has now: the digest, type and size of the manifest."""

    reference: str
    digest: str
    media_type: str
    size_bytes: int


class _Outgoing(Record):
    """A layer to be sent. `find` may take its time: it compresses it."""

    subject: str
    find: Callable[[], Descriptor]

    @classmethod
    def known(cls, blob: Descriptor) -> _Outgoing:
        return cls(subject=blob.short, find=lambda: blob)


class _NotHere(Exception):
    """A blob of the manifest is neither here nor there."""


def push(store: Store, image: Image, reference: Reference, progress: Progress) -> Pushed:
    """Have the registry know `image` as `reference`. The caller holds the store.

    The manifest is the one that the image came with, so that its digest stays; one that was made
    here gets its own. Raises ImageProblem; RegistryUnreachable where the registry cannot be talked
    to.
    """
    return _Push(store, reference, progress).push_image(image)


def push_artifact(
    store: Store,
    reference: Reference,
    config: tuple[str, bytes],
    chain_ids: Sequence[str],
    progress: Progress,
) -> str:
    """Have the registry know layers that are here, and a config of a type of its own, as
    `reference`; the digest of the manifest. The caller holds the store. Raises as `push` does."""
    return _Push(store, reference, progress).push_artifact(*config, chain_ids)


class _Push:
    def __init__(self, store: Store, reference: Reference, progress: Progress) -> None:
        self._store, self._reference = store, reference
        self._progress = progress
        self._team: SideBySide  # while layers are on their way
        self._mountable = _mountable(store, reference)
        self._transport = Transport(
            reference.domain,
            reference.path,
            push=True,
            sources=sorted(set(self._mountable.values())),
            subject=reference.familiar,
            progress=progress,
        )

    def push_image(self, image: Image) -> Pushed:
        self._transport.voice.say(f"The push refers to repository [{self._reference.name}]")
        data, media_type = self._send(image)
        digest = self._put_manifest(data, media_type)
        self._store.records.confirm_reference(str(self._reference), image.id, digest)
        self._transport.voice.say(f"{self._reference.tag}: digest: {digest} size: {len(data)}")
        return Pushed(
            reference=str(self._reference),
            digest=digest,
            media_type=media_type,
            size_bytes=len(data),
        )

    def push_artifact(self, config_type: str, config: bytes, chain_ids: Sequence[str]) -> str:
        layers = self._send_layers([self._compressed(chain) for chain in chain_ids])
        self._store.blobs.add(config)
        self._ensure_there(config_descriptor(config, config_type), unheard)
        return self._put_manifest(made_manifest(config, layers, config_type), OCI_MANIFEST)

    def _send(self, image: Image) -> tuple[bytes, str]:
        """All that the manifest names; the manifest, and its type."""
        kept = kept_manifest(self._store, image.manifest_digest)
        if kept is not None:
            try:
                return self._send_kept(kept)
            except _NotHere:
                self._transport.voice.say(
                    "layers came here in another form than this image had them in: the digest of "
                    "its manifest will be another"
                )
        return self._send_made(image), OCI_MANIFEST

    def _send_kept(self, kept: KeptManifest) -> tuple[bytes, str]:
        self._send_layers([_Outgoing.known(layer) for layer in kept.layers])
        self._ensure_there(kept.config, unheard)
        return kept.data, kept.media_type

    def _send_made(self, image: Image) -> bytes:
        config = self._store.blobs.read(image.id)
        layers = self._send_layers([self._compressed(chain) for chain in image.chain_ids])
        self._ensure_there(config_descriptor(config), unheard)
        data = made_manifest(config, layers)
        self._store.records.set_manifest(image.id, self._store.blobs.add(data))
        return data

    def _compressed(self, chain: str) -> _Outgoing:
        row = self._store.records.find_layer(chain)
        if row is None:
            raise ImageProblem(f"the layer {chain} is not here", code="no-such-layer")
        subject, total = row.diff_id.partition(":")[2][:12], max(row.size_bytes, 1)

        def count(done_bytes: int) -> None:
            self._team.check()
            self._progress(subject, "Preparing", min(done_bytes, total - 1), total)

        return _Outgoing(subject=subject, find=lambda: layer_blob(self._store, row, count))

    def _send_layers(self, layers: Sequence[_Outgoing]) -> list[Descriptor]:
        """Side by side. Raises what the first failing one raised."""
        with SideBySide(PARALLEL_LAYERS, self._transport.stop) as self._team:
            sent = [self._team.start(functools.partial(self._send_layer, one)) for one in layers]
        return [result.result() for result in sent]

    def _send_layer(self, outgoing: _Outgoing) -> Descriptor:
        self._team.check()
        blob = outgoing.find()
        text = self._ensure_there(blob, self._tell(blob, outgoing.subject))
        self._progress(outgoing.subject, text, blob.size, blob.size)
        return blob

    def _ensure_there(self, blob: Descriptor, tell: Tell) -> str:
        """In Docker's words, what had to be done for it."""
        if has_blob(self._transport, blob):
            return "Layer already exists"
        source = self._mountable.get(blob.digest)
        here = self._store.blobs.has(blob.digest)
        if not here and source is None:
            raise _NotHere
        location = start_upload(self._transport, blob, source)
        if location is None:
            return f"Mounted from {source}"
        path = self._store.blobs.path(blob.digest)
        upload = Upload(self._transport, blob, location, path, tell)
        if not here:
            upload.abandon()
            raise _NotHere
        try:
            upload.run()
        except ImageProblem:
            for _ in self._store.blobs.pieces(blob.digest):
                pass  # raises where it is ours that is damaged
            raise
        return "Pushed"

    def _tell(self, blob: Descriptor, subject: str) -> Tell:
        def tell(done_bytes: int) -> None:
            self._team.check()
            if done_bytes < blob.size:
                self._progress(subject, "Pushing", done_bytes, blob.size)

        return tell

    def _put_manifest(self, data: bytes, media_type: str) -> str:
        response = self._transport.ask(
            f"manifests/{self._reference.tag}",
            {"Content-Type": media_type},
            subject=self._reference.familiar,
            method="PUT",
            expected=(200, 201, 202),
            body=lambda: data,
        )
        read_some(response)
        digest = sha256(data)
        said = response.headers.get("Docker-Content-Digest")
        if said is not None and said != digest:
            raise wrong_answer(self._transport.host, f"it has {said} where {digest} was sent to it")
        return digest


def _mountable(store: Store, reference: Reference) -> dict[str, str]:
    """Blobs that other repositories of the same registry have: digest -> repository."""
    found: dict[str, str] = {}
    for row in store.records.references_at(reference.domain):
        other = parse_reference(row["reference"])
        digest = row["manifest_digest"]
        if other.path == reference.path or digest is None or not store.blobs.has(digest):
            continue
        try:
            document = parse_document(store.blobs.read(digest))
        except ImageProblem:
            continue  # damaged: what it was for can be pulled again
        if isinstance(document, Manifest):
            found.update({layer.digest: other.path for layer in document.layers})
    named = sorted(set(found.values()))[:_MOST_SOURCES]
    return {digest: path for digest, path in found.items() if path in named}
