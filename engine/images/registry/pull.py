"""Pulling an image: manifest, config and layers, all checked against their digests."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

from engine.errors import ImageProblem
from engine.images.assemble import LayerSource, assemble
from engine.images.config import LARGEST_DOCUMENT_BYTES, diff_ids, parse_config_document
from engine.images.digest import sha256, verify
from engine.images.manifest import ACCEPTED, DEEPEST_INDEX, Index, choose, parse_document
from engine.images.platform import candidates, host_platform, platform_of
from engine.images.registry.errors import RegistryUnreachable, foreign_layer
from engine.images.registry.http import Interrupted, read_body, read_some
from engine.images.registry.resolve import tag_digest
from engine.images.registry.transport import Transport
from engine.images.registry.waiting import ATTEMPTS, wait_before_retry

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from engine.images.image import Progress
    from engine.images.manifest import Descriptor, Manifest
    from engine.images.platform import Platform
    from engine.images.reference import Reference
    from engine.images.registry.connection import Connection
    from engine.images.store import Store

_NO_SUCH_RANGE = 416
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-")
_PIECE_BYTES = 1024 * 1024


def pull(
    store: Store, reference: Reference, progress: Progress, platform: Platform | None = None
) -> str:
    """Have the image that `reference` means now; its id. The caller holds the store.

    platform  None: this host's, or what there is with a warning

    Raises ImageProblem; RegistryUnreachable where the registry cannot be talked to.
    """
    return Pull(store, reference, progress, platform).run()


class Pull:
    """One reference of a registry, and what is fetched by way of it."""

    def __init__(
        self,
        store: Store,
        reference: Reference,
        progress: Progress,
        platform: Platform | None,
    ) -> None:
        self._store = store
        self._reference = reference
        self._progress = progress
        self._platform = platform
        self._transport = Transport(
            reference.domain, reference.path, subject=reference.familiar, progress=progress
        )

    def run(self) -> str:
        name = self._reference.familiar
        self._say(f"{self._reference.selector}: Pulling from {self._reference.path}")
        if (present := self._unchanged()) is not None:
            self._say(f"Status: Image is up to date for {name}")
            return present
        data, manifest, digest = self._manifest()
        config = self._config(manifest.config)
        self._check_platform(config)
        sources = self._sources(manifest, config)
        chain = assemble(self._store, sources, self._progress, self._transport.stop)
        image_id = self._store.register(
            config, chain, [str(self._reference)], manifest=data, reference_digest=digest
        )
        self._say(f"Digest: {digest}")
        self._say(f"Status: Downloaded newer image for {name}")
        return image_id

    def _say(self, text: str) -> None:
        self._progress(self._reference.familiar, text, None, None)

    def _unchanged(self) -> str | None:
        """The image that is here under this name, if the registry means the same by it.

        Asked by HEAD, which registries do not count as a pull.
        """
        row = self._store.records.find_reference(str(self._reference))
        if row is None or row["digest"] is None:
            return None
        if not self._store.is_whole(row["image_id"]) or not self._suits(row):
            return None
        digest: str = row["digest"]
        if self._reference.digest is None:
            if tag_digest(self._transport, self._reference) != digest:
                return None
            self._say(f"Digest: {digest}")
        self._store.records.confirm_reference(str(self._reference), row["image_id"], digest)
        return str(row["image_id"])

    def _suits(self, row: sqlite3.Row) -> bool:
        """Whether the image here is of the platform that is wanted; else another entry of the
        index may be. An image without an index may be of any, if none is asked for."""
        found = self._store.records.image_row(row["image_id"])
        if found is None:
            return False
        platform = platform_of(json.loads(found["config"]))
        if self._platform is None and found["manifest_digest"] == row["digest"]:
            return True
        return platform in candidates(self._platform or host_platform())

    def _manifest(self) -> tuple[bytes, Manifest, str]:
        """The manifest for this host, its bytes, and the digest of what the reference names."""
        data, document = self._document(self._reference.selector, self._reference.digest)
        top = self._reference.digest or sha256(data)
        for _ in range(DEEPEST_INDEX):
            if not isinstance(document, Index):
                return data, document, top
            wanted = self._platform or host_platform()
            entry = choose(document, wanted)
            if entry is None:
                raise _no_platform(self._reference, document, wanted)
            data, document = self._document(entry.digest, entry.digest)
        raise ImageProblem("indexes are nested too deeply", code="invalid-manifest")

    def _document(self, selector: str, digest: str | None) -> tuple[bytes, Manifest | Index]:
        def fetch() -> tuple[bytes, Manifest | Index]:
            data, content_type = self._raw_document(selector, digest)
            return data, parse_document(data, content_type)

        return self._transport.first_good(fetch)

    def _raw_document(self, selector: str, digest: str | None) -> tuple[bytes, str | None]:
        """As it is, and the type that the registry says it has."""
        response = self._transport.ask(
            f"manifests/{selector}",
            {"Accept": ", ".join(ACCEPTED)},
            subject=self._reference.familiar,
        )
        data = _whole(response, self._transport.host)
        if digest is not None:
            verify(data, digest, f"the manifest of {self._reference.familiar}")
        return data, response.headers.get("Content-Type")

    def _config(self, descriptor: Descriptor) -> bytes:
        if descriptor.size > LARGEST_DOCUMENT_BYTES:
            raise ImageProblem("the image config is too large", code="invalid-image")
        if (kept := self._store.blobs.find(descriptor.digest)) is not None:
            return kept

        def fetch() -> bytes:
            data = b"".join(self._blob(descriptor, 0))
            verify(data, descriptor.digest, f"the config of {self._reference.familiar}")
            return data

        return self._transport.first_good(fetch)

    def _check_platform(self, config: bytes) -> None:
        found = platform_of(parse_config_document(config))
        wanted = self._platform or host_platform()
        if not found.architecture or found in candidates(wanted):
            return
        if self._platform is not None:
            raise ImageProblem(
                f"{self._reference.familiar} is made for {found}, not for {wanted}",
                code="no-such-platform",
            )
        self._say(
            f"The requested image's platform ({found}) does not match the detected host "
            f"platform ({wanted})"
        )

    def _sources(self, manifest: Manifest, config: bytes) -> list[LayerSource]:
        expected = diff_ids(parse_config_document(config))
        if len(expected) != len(manifest.layers):
            raise ImageProblem(
                "the manifest and the config differ in their layers", code="invalid-manifest"
            )
        pairs = zip(manifest.layers, expected, strict=True)
        return [self._source(layer, diff_id) for layer, diff_id in pairs]

    def _source(self, layer: Descriptor, diff_id: str) -> LayerSource:
        asked: list[Connection] = []  # for the content: the last one gave it, or one after it

        def fetch(offset: int) -> Iterator[bytes]:
            asked.append(self._transport.connection)
            return self._blob(layer, offset)

        return LayerSource(
            subject=layer.short,
            diff_id=diff_id,
            blob_digest=layer.digest,
            size_bytes=layer.size,
            pieces=lambda waiting: self._store.blobs.ingest(layer.digest, fetch, waiting),
            is_elsewhere=lambda problem: (
                bool(asked) and self._transport.pass_over(asked.pop(), problem)
            ),
        )

    def _ask_for(self, blob: Descriptor, headers: Mapping[str, str]) -> BaseHTTPResponse:
        try:
            return self._transport.ask(
                f"blobs/{blob.digest}",
                headers,
                subject=f"layer {blob.short}",
                expected=(200, 206, _NO_SUCH_RANGE) if headers else (200,),
            )
        except ImageProblem as problem:
            if problem.code == "image-not-found" and blob.is_foreign:
                raise foreign_layer(blob.short, self._transport.host) from None
            raise

    def _blob(self, blob: Descriptor, offset: int) -> Iterator[bytes]:
        """The content from `offset` on, resumed where the connection breaks.

        Raises ImageProblem when it is larger than its descriptor says, and when it makes no
        progress any more.
        """
        attempt = 0
        while offset < blob.size:
            connection, why = self._transport.connection, "the connection ends early"
            try:
                for piece in self._part(blob, offset):
                    offset += len(piece)
                    attempt = 0
                    yield piece
            except Interrupted as error:
                why = str(error)
            except RegistryUnreachable as gone:  # it may be starting anew
                if not offset:
                    raise
                why = gone.why
            if offset < blob.size:
                attempt = self._next_attempt(attempt, connection, why)

    def _next_attempt(self, attempt: int, connection: Connection, why: str) -> int:
        """Its number, when its time has come; raises RegistryUnreachable after the last."""
        problem = RegistryUnreachable(connection.endpoint.host, why)
        if attempt + 1 == ATTEMPTS:
            raise problem
        if connection.endpoint.is_mirror and attempt:
            self._transport.pass_over(connection, problem)
            return 0
        wait_before_retry(attempt, self._transport.voice, problem.what)
        return attempt + 1

    def _part(self, blob: Descriptor, offset: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        response = self._ask_for(blob, headers)
        if response.status == _NO_SUCH_RANGE:
            read_some(response)
            response = self._ask_for(blob, {})
        skip = offset - _start(response, offset)
        if skip < 0:
            response.close()
            raise Interrupted("another part came than was asked for")
        left = blob.size - offset
        try:
            for piece in response.stream(_PIECE_BYTES, decode_content=False):
                wanted, skip = piece[skip:], max(skip - len(piece), 0)
                left -= len(wanted)
                if left < 0:
                    raise ImageProblem(
                        f"layer {blob.short} is larger than the {blob.size} bytes it should have",
                        code="wrong-size",
                    )
                if wanted:
                    yield wanted
        except HTTPError as error:
            raise Interrupted(str(error)) from None
        finally:
            response.close() if left else response.release_conn()


def _start(response: BaseHTTPResponse, asked: int) -> int:
    """Where in the blob an answer begins: one of 200 is all of it, whatever was asked for, and one
    of 206 that does not say is what was asked for."""
    if response.status != 206:
        return 0
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range") or "")
    return int(match[1]) if match else asked


def _whole(response: BaseHTTPResponse, host: str) -> bytes:
    try:
        return read_body(response)
    except Interrupted as error:
        raise RegistryUnreachable(host, str(error)) from None


def _no_platform(reference: Reference, index: Index, wanted: Platform) -> ImageProblem:
    found = {entry.platform for entry in index.manifests if entry.platform is not None}
    known = sorted(str(platform) for platform in found if platform.os != "unknown")
    return ImageProblem(
        f"{reference.familiar} is not made for {wanted}",
        hint=f"it is made for {', '.join(known) or 'nothing that says so'}",
        code="no-such-platform",
    )
