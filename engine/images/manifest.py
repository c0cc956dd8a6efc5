"""Manifests and indexes: OCI's and Docker's schema 2, read with suspicion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.config import parse_object
from engine.images.digest import parse_digest
from engine.images.platform import Platform, candidates

if TYPE_CHECKING:
    from collections.abc import Mapping

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
ACCEPTED = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)
DEEPEST_INDEX = 4  # indexes in indexes

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"

_CONFIGS = {
    OCI_CONFIG,
    "application/vnd.docker.container.image.v1+json",
}
_LAYERS = {
    *(f"{OCI_LAYER}{end}" for end in ("", "+gzip", "+zstd")),
    *(
        f"application/vnd.oci.image.layer.nondistributable.v1.tar{end}"
        for end in ("", "+gzip", "+zstd")
    ),
    *(f"application/vnd.docker.image.rootfs.diff.tar{end}" for end in ("", ".gzip", ".zstd")),
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a blob is. `size` in bytes."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def short(self) -> str:
        """The first 12 digits, as Docker shows layers."""
        return self.digest.partition(":")[2][:12]

    @property
    def is_foreign(self) -> bool:
        """Of a layer that its publisher alone may distribute; registries seldom have it."""
        return "nondistributable" in self.media_type or "foreign" in self.media_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One image: its config, and its layers from the lowest up."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The same image for several platforms, or several images."""

    manifests: tuple[Descriptor, ...]


def parse_document(data: bytes, content_type: str | None = None) -> Manifest | Index:
    """A manifest or an index, whichever `data` is.

    content_type  what the registry called it; it must not contradict the document's own mediaType,
                  and nothing may be read both ways (CVE-2021-41190)

    Raises ImageProblem (`invalid-manifest`, `manifest-schema-1`, `unsupported-media-type`).
    """
    document = parse_object(data, _invalid)
    media_type = _media_type(document, content_type)
    has_index, has_manifest = "manifests" in document, "layers" in document or "config" in document
    if has_index == has_manifest:
        raise _invalid("it is not clearly a manifest or an index")
    if media_type and (media_type in (OCI_INDEX, DOCKER_LIST)) != has_index:
        raise _invalid(f"its content does not fit its type {media_type}")
    return _index(document) if has_index else _manifest(document)


def choose(index: Index, platform: Platform) -> Descriptor | None:
    """The entry that suits `platform` best; the first of equals. None: there is none.

    An entry without a platform is taken where nothing better is offered; attestations, which
    are entries for the platform `unknown`, never are.
    """
    ranks = {candidate: rank for rank, candidate in enumerate(candidates(platform))}
    best: tuple[int, Descriptor] | None = None
    for entry in index.manifests:
        if "vnd.docker.reference.type" in dict(entry.annotations):
            continue
        rank = len(ranks) if entry.platform is None else ranks.get(entry.platform.normalised())
        if rank is not None and (best is None or rank < best[0]):
            best = rank, entry
    return None if best is None else best[1]


def _media_type(document: Mapping[str, object], content_type: str | None) -> str | None:
    said = (content_type or "").partition(";")[0].strip()
    if said.startswith(_SCHEMA_1) or document.get("schemaVersion") == 1:
        raise ImageProblem(
            "the image has a manifest of schema 1, which has been out of use since 2017",
            hint="push it again with a current tool",
            code="manifest-schema-1",
        )
    own = document.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise _invalid("its mediaType is not a string")
    if own and said in ACCEPTED and own != said:
        raise _invalid(f"it came as {said} but calls itself {own}")
    media_type = own or (said if said in ACCEPTED else None)
    if media_type and media_type not in ACCEPTED:
        raise _unsupported("manifest", media_type)
    return media_type


def _index(document: Mapping[str, object]) -> Index:
    entries = document["manifests"]
    if not isinstance(entries, list):
        raise _invalid("its manifests are not a list")
    return Index(manifests=tuple(parse_descriptor(entry) for entry in entries))


def _manifest(document: Mapping[str, object]) -> Manifest:
    config = parse_descriptor(document.get("config"))
    entries = document.get("layers")
    if entries is None or not isinstance(entries, list):
        raise _invalid("its layers are not a list")
    layers = tuple(parse_descriptor(entry) for entry in entries)
    if config.media_type not in _CONFIGS:
        raise _unsupported("image config", config.media_type)
    for layer in layers:
        if layer.media_type not in _LAYERS:
            raise _unsupported("layer", layer.media_type)
    return Manifest(config=config, layers=layers)


def parse_descriptor(value: object) -> Descriptor:
    if not isinstance(value, dict):
        raise _invalid("a descriptor is not an object")
    media_type, size = value.get("mediaType"), value.get("size")
    if not isinstance(media_type, str) or type(size) is not int or size < 0:
        raise _invalid("a descriptor lacks its mediaType or size")
    annotations = value.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise _invalid("annotations are not an object")
    return Descriptor(
        media_type=media_type,
        digest=parse_digest(value.get("digest")),
        size=size,
        platform=_platform(value.get("platform")),
        annotations=tuple((str(key), str(text)) for key, text in annotations.items()),
    )


def _platform(value: object) -> Platform | None:
    if not isinstance(value, dict):
        return None
    features = value.get("os.features")
    return Platform(
        os=str(value.get("os") or ""),
        architecture=str(value.get("architecture") or ""),
        variant=str(value.get("variant") or ""),
        os_features=tuple(map(str, features if isinstance(features, list) else ())),
    )


def _invalid(why: str) -> ImageProblem:
    return ImageProblem(f"the manifest cannot be used: {why}", code="invalid-manifest")


def _unsupported(what: str, media_type: str) -> ImageProblem:
    return ImageProblem(
        f"{media_type} is not a type of {what} that can be used",
        hint="it may be an artifact and not an image, or be encrypted",
        code="unsupported-media-type",
    )
