"""docker-archive: what `docker save` writes. Source: moby image/spec/v1.2.md, "Combined Image
JSON + Filesystem Changeset Format"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.errors import ImageProblem
from engine.images.archives.files import read_document
from engine.images.archives.prepared import Prepared
from engine.images.assemble import LayerSource
from engine.images.config import diff_ids, parse_config_document
from engine.images.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from engine.images.archives.files import Files
    from engine.images.assemble import Waiting
    from engine.images.image import Progress
    from engine.images.store import Store

MANIFEST = "manifest.json"
_TAR_MAGIC = slice(257, 262)


def load_docker_archive(store: Store, files: Files, progress: Progress) -> Iterator[str]:
    """The ids of the images in the archive, each recorded under the names it has there. All of
    them are looked at before the first is made."""
    prepared = [_prepared(store, files, entry) for entry in _entries(files)]
    return (image.make(store, progress) for image in prepared)


def _entries(files: Files) -> list[dict[str, Any]]:
    try:
        entries = json.loads(read_document(files, MANIFEST))
    except (ValueError, RecursionError) as error:
        raise _invalid(str(error)) from None
    if not isinstance(entries, list):
        raise _invalid("it is not a list")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("Config"), str):
            raise _invalid("an entry has no Config")
        for key in ("Layers", "RepoTags"):
            entry[key] = entry.get(key) or []
            if not isinstance(entry[key], list) or not all(isinstance(e, str) for e in entry[key]):
                raise _invalid(f"its {key} are not a list of names")
    return entries


def _prepared(store: Store, files: Files, entry: dict[str, Any]) -> Prepared:
    config = read_document(files, entry["Config"])
    expected, layers = diff_ids(parse_config_document(config)), entry["Layers"]
    if len(expected) != len(layers):
        raise _invalid(f"it lists {len(layers)} layers where the config has {len(expected)}")
    pairs = zip(layers, expected, strict=True)
    return Prepared(
        config=config,
        names=[str(parse_reference(tag)) for tag in entry["RepoTags"]],
        layers=[_source(store, files, name, diff_id) for name, diff_id in pairs],
    )


def _source(store: Store, files: Files, name: str, diff_id: str) -> LayerSource:
    """A layer that is not compressed is its own blob: it is kept under its diff_id."""
    start = next(files.pieces(name), b"")
    plain = start[_TAR_MAGIC] == b"ustar" or not start.strip(b"\0")

    def pieces(waiting: Waiting) -> Generator[bytes, None, None]:
        if plain:
            return store.blobs.ingest(diff_id, lambda offset: files.pieces(name, offset), waiting)
        return files.pieces(name)

    return LayerSource(
        subject=diff_id.partition(":")[2][:12],
        diff_id=diff_id,
        blob_digest=diff_id if plain else None,
        size_bytes=files.size(name),
        pieces=pieces,
    )


def _invalid(why: str) -> ImageProblem:
    return ImageProblem(f"{MANIFEST} of the archive cannot be used: {why}", code="invalid-archive")
