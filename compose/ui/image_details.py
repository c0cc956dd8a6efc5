"""An image as `docker image inspect` and `docker history` show it."""

from __future__ import annotations

from compose.ui.images import format_id, format_moment
from compose.ui.tables import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from engine import Engine, Image

_MISSING = "<missing>"
_LONGEST_INSTRUCTION = 45


def details(engine: Engine, image: Image) -> dict[str, Any]:
    """In Docker's words; `Lowers` in place of its graph driver: where the layers are."""
    document = engine.images.document(image.id)
    pinned = engine.images.pinned(image)
    digests = {f"{repository}@{digest}" for (repository, _), digest in pinned.items()}
    history = document.get("history") or [{}]
    return {
        "Id": image.id,
        "RepoTags": [f"{name}:{tag}" for name, tag in image.repository_tags if tag],
        "RepoDigests": sorted(digests),
        "Comment": history[-1].get("comment", ""),
        "Created": image.created,
        "Author": document.get("author", ""),
        "Config": document.get("config") or {},
        "Architecture": image.architecture,
        **({"Variant": image.variant} if image.variant else {}),
        "Os": image.os,
        "Size": image.size_bytes,
        "Lowers": list(image.lowers),
        "RootFS": {"Type": "layers", "Layers": (document.get("rootfs") or {}).get("diff_ids", [])},
        "ManifestDigest": image.manifest_digest or "",
    }


def steps(engine: Engine, image: Image, *, full: bool, human: bool) -> Iterator[dict[str, Any]]:
    """How an image was made, the last step first. Where its history does not fit its layers, the
    sizes are given as far as they go."""
    sizes = list(engine.images.layer_sizes(image))
    history = engine.images.document(image.id).get("history") or []
    layered = [0 if step.get("empty_layer") else sizes.pop(0) if sizes else 0 for step in history]
    identity = image.id if full else format_id(image)
    for step, size in reversed(list(zip(history, layered, strict=True))):
        created, by = step.get("created") or "", " ".join((step.get("created_by") or "").split())
        yield {
            "ID": identity,
            "CreatedSince": format_moment(created) if human else created or "N/A",
            "CreatedAt": created,
            "CreatedBy": by if full else _cut(by),
            "Size": format_size(size) if human else str(size),
            "Comment": step.get("comment") or "",
        }
        identity = _MISSING


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_INSTRUCTION else f"{text[: _LONGEST_INSTRUCTION - 1]}…"
