"""Loading whatever kind of archive a file is."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.archives import docker_archive, oci_layout
from engine.images.archives.files import name_of, opened, pieces_of, stream
from engine.images.archives.remote import is_url, remote_pieces
from engine.images.digest import chain_id
from engine.images.platform import host_platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.images.image import Progress
    from engine.images.source import Source
    from engine.images.store import Store


def load(store: Store, path: str, progress: Progress) -> list[str]:
    """The ids of all images of an archive. The caller holds the store."""
    with opened(path, store.temporary) as files:
        if files.has(docker_archive.MANIFEST):  # `docker save` of today writes both
            return list(docker_archive.load_docker_archive(store, files, progress))
        if files.has(oci_layout.INDEX):
            return list(oci_layout.load_oci_layout(store, files, progress))
    raise ImageProblem(
        f"{name_of(path)} is neither a docker-archive nor an OCI layout",
        hint="the tar of a root filesystem is taken by `buoy image import`",
        code="invalid-archive",
    )


def load_one(store: Store, source: Source, progress: Progress) -> str:
    """The id of the image that an `oci:` or `docker-archive:` source names, recorded under it."""
    with opened(source.path, store.temporary) as files:
        if source.kind == "oci":
            return oci_layout.load_from_oci_layout(store, files, source.tag, source.name, progress)
        found = list(docker_archive.load_docker_archive(store, files, progress))
    if len(found) != 1:
        raise ImageProblem(
            f"{source.path} holds {len(found)} images",
            hint="load it with `buoy image load`, and use the names that are in it",
            code="several-images",
        )
    store.records.add_reference(source.name, found[0])
    return found[0]


def import_tar(
    store: Store,
    path: str,
    references: Sequence[str],
    config: Mapping[str, object],
    message: str | None,
    progress: Progress,
) -> str:
    """The id of a new image with one layer, unpacked from the tar at `path`, or at a URL."""
    blob: list[str] = []
    with _pieces(path) as given:
        pieces = store.blobs.recorded(given, blob)
        with store.layers.unpacked(pieces, path) as (directory, unpacked):
            chain = chain_id(None, unpacked.diff_id)
            with store.layers.making(chain) as wanted:
                if wanted:
                    store.layers.finish(
                        *(directory, unpacked, ()),
                        diff_id=None,
                        blob_digest=blob[0],
                        subject=path,
                    )
    for warning in unpacked.warnings:
        progress(path, warning, None, None)
    comment = message or f"Imported from {name_of(path)}"
    return store.create(_document(comment, config), (chain,), references)


@contextlib.contextmanager
def _pieces(path: str) -> Iterator[Iterator[bytes]]:
    if is_url(path):
        with remote_pieces(path) as pieces:
            yield pieces
    else:
        with stream(path) as file:
            yield pieces_of(file)


def _document(comment: str, config: Mapping[str, object]) -> dict[str, object]:
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    platform = host_platform()
    return {
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": dict(config),
        "history": [{"created": created, "comment": comment}],
    }
