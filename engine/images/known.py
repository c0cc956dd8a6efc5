"""The images that are here: found by name and id, and looked at. Nothing is changed."""

from __future__ import annotations

import json
import re

from engine.errors import ImageProblem
from engine.images.config import parse_config
from engine.images.image import Image
from engine.images.layout import lower_directories
from engine.images.records import Records
from engine.images.reference import parse_reference, repository_tag
from engine.images.rootfs import rootfs_image
from engine.images.source import parse_source

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Any

    from engine.images.source import Source
    from engine.state.paths import Roots

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})")


class KnownImages:
    """The images on record. All methods may be called from any thread, several at once."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._records = Records(roots)

    def close(self) -> None:
        """Close the database; a later call opens it again."""
        self._records.close()

    def find(self, reference: str) -> Image | None:
        """The image of that name, id or unique id prefix, or of a `rootfs:` directory; only what
        is here. Raises ImageProblem on an ambiguous prefix and on a malformed reference."""
        if reference.startswith("sha256:"):
            return self._by_id(reference)
        try:
            source = parse_source(reference)
        except ImageProblem:
            if _ID.fullmatch(reference):
                return self._by_id(reference)
            raise
        if source.kind == "rootfs":
            return rootfs_image(source.name, source.path)
        return self._by_source(source) or self._by_id(reference)

    def get(self, reference: str) -> Image:
        """Like `find`; ImageProblem `no-such-image` where it is not here."""
        found = self.find(reference)
        if found is None:
            raise ImageProblem(
                f"the image {reference} is not here",
                hint="`buoy pull` fetches it; `buoy image ls` shows what is here",
                code="no-such-image",
            )
        return found

    def list(self) -> list[Image]:
        """Every image, newest first."""
        found = (self._by_exact_id(image_id) for image_id in self._records.image_ids())
        return [image for image in found if image is not None]

    def lowers(self, chain_ids: Sequence[str]) -> tuple[str, ...]:
        """Lower directories for an overlay mount of a stack of layers: top first."""
        return lower_directories(self._roots, chain_ids)

    def names_of(self, name: str) -> Sequence[str]:
        """References here to the repository that `name` is: one for each tag. Raises ImageProblem
        where there are none."""
        wanted = parse_reference(name)
        found = [
            row["reference"]
            for row in self._records.references_at(wanted.domain)
            if parse_reference(row["reference"]).path == wanted.path and "@" not in row["reference"]
        ]
        return sorted(found) or [self.get(name).references[0]]

    # Looking into

    def in_use(self, image_id: str) -> Sequence[str]:
        """Names of the containers made from the image."""
        return self._records.containers_of(image_id)

    def document(self, image_id: str) -> Mapping[str, Any]:
        """The whole config of an image, as it is in its blob."""
        row = self._records.image_row(self.get(image_id).id)
        return {} if row is None else dict(json.loads(row["config"]))

    def pinned(self, image: Image) -> Mapping[tuple[str, str], str]:
        """Its names, as in `repository_tags`, that a registry was asked for: the digest that each
        meant there."""
        rows = filter(None, map(self._records.find_reference, image.references))
        return {repository_tag(row["reference"]): row["digest"] for row in rows if row["digest"]}

    def layer_sizes(self, image: Image) -> Sequence[int]:
        """Bytes of the files of each layer, lowest first."""
        rows = map(self._records.find_layer, image.chain_ids)
        return [0 if row is None else row.size_bytes for row in rows]

    # Inside

    def _by_source(self, source: Source) -> Image | None:
        row = self._records.find_reference(source.name)
        if row is not None:
            return self._by_exact_id(row["image_id"])
        if source.kind != "registry":
            return None
        reference = parse_reference(source.name)
        if reference.digest is None:
            return None
        image_id = self._records.find_digest(reference.name, reference.digest)
        return None if image_id is None else self._by_exact_id(image_id)

    def _by_id(self, text: str) -> Image | None:
        match = _ID.fullmatch(text)
        if match is None:
            return None
        found = self._records.image_ids(match[1])
        if len(found) > 1:
            raise ImageProblem(
                f"{text} is the beginning of {len(found)} image ids",
                hint="give more digits",
                code="ambiguous-id",
            )
        return self._by_exact_id(found[0]) if found else None

    def _by_exact_id(self, image_id: str) -> Image | None:
        row = self._records.image_row(image_id)
        return None if row is None else self._image(row)

    def _exactly(self, image_id: str) -> Image:
        image = self._by_exact_id(image_id)
        if image is None:
            raise ImageProblem(
                f"the image {image_id} was removed by another command", code="no-such-image"
            )
        return image

    def _image(self, row: sqlite3.Row) -> Image:
        document = json.loads(row["config"])
        chain = tuple(json.loads(row["chain_ids"]))
        return Image(
            id=row["id"],
            references=self._records.references(row["id"]),
            config=parse_config(document),
            chain_ids=chain,
            lowers=lower_directories(self._roots, chain),
            size_bytes=row["size_bytes"],
            created=document.get("created") or "",
            architecture=document.get("architecture") or "",
            os=document.get("os") or "",
            variant=document.get("variant") or "",
            manifest_digest=row["manifest_digest"],
        )

    def _own_name(self, reference: str) -> str | None:
        """The complete name that `reference` is, if it is a name and not an id."""
        if reference.startswith("sha256:"):
            return None
        try:
            name = parse_source(reference).name
        except ImageProblem:
            return None
        return name if self._records.find_reference(name) is not None else None
