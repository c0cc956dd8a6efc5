"""Where an image comes from: a registry, or one of the sources named by a prefix."""

from __future__ import annotations

import os

from engine.errors import ImageProblem
from engine.images.reference import DEFAULT_TAG, parse_reference
from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["registry", "rootfs", "oci", "docker-archive"]

_PREFIXES: dict[str, Kind] = {
    "rootfs:": "rootfs",
    "oci:": "oci",
    "docker-archive:": "docker-archive",
}


class Source(Record):
    """One image as it was asked for.

    name   unique and stable, under which the image is stored: a complete reference for a
           registry, `oci:/dir:tag` and the like with an absolute path for the others
    path   absolute; empty for a registry
    tag    oci: which image of the layout; None: its only one
    """

    kind: Kind
    name: str
    path: str = ""
    tag: str | None = None


def parse_source(text: str) -> Source:
    """`rootfs:/path`, `oci:DIR[:tag]`, `docker-archive:FILE`, or a reference.

    Relative paths are taken from the working directory. Raises ImageProblem.
    """
    for prefix, kind in _PREFIXES.items():
        if text.startswith(prefix):
            return _local(kind, prefix, text.removeprefix(prefix))
    return Source(kind="registry", name=str(parse_reference(text)))


def _local(kind: Kind, prefix: str, rest: str) -> Source:
    tag = None
    if kind == "oci":
        directory, colon, word = rest.rpartition(":")
        if colon and "/" not in word:
            rest, tag = directory, word or DEFAULT_TAG
    if not rest:
        raise ImageProblem(f"{prefix} needs a path", code="invalid-reference")
    path = os.path.abspath(rest)
    return Source(kind=kind, name=prefix + path + (f":{tag}" if tag else ""), path=path, tag=tag)
