"""Disk usage as `docker system df` shows it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from compose.reconcile.decide import UP
from compose.ui.containers import format_command, format_status
from compose.ui.images import NONE, format_created, format_id
from compose.ui.tables import format_age, format_size, format_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine import CacheEntry, Container, DiskUsage, Image


def rows(usage: DiskUsage, cached: Sequence[CacheEntry]) -> list[dict[str, str]]:
    """One of each type. Docker has none for what killed commands have left: it is there if they
    have."""
    pieces = usage.pieces
    found = [_images(usage), _containers(usage), _volumes(usage), _cache(usage, cached)]
    unused = pieces.pieces.keys() - pieces.of(pieces.images) - pieces.cached
    if leftovers := usage.leftover_bytes + pieces.total(unused):
        found.append(_row("Leftovers", 1, 0, leftovers, leftovers))
    return found


def _images(usage: DiskUsage) -> dict[str, str]:
    pieces = usage.pieces
    active = [image.id for image in usage.images if usage.users[image.id]]
    everything = pieces.of(pieces.images)
    unused = pieces.total(everything - pieces.of(active) - pieces.cached)
    return _row("Images", len(usage.images), len(active), pieces.total(everything), unused)


def _containers(usage: DiskUsage) -> dict[str, str]:
    idle = [size for one, size in usage.containers if one.status not in UP]
    count, total = len(usage.containers), sum(size for _, size in usage.containers)
    return _row("Containers", count, count - len(idle), total, sum(idle))


def _volumes(usage: DiskUsage) -> dict[str, str]:
    unused = [size for one, size in usage.volumes if not usage.links[one.name]]
    count, total = len(usage.volumes), sum(size for _, size in usage.volumes)
    return _row("Local Volumes", count, count - len(unused), total, sum(unused))


def _cache(usage: DiskUsage, cached: Sequence[CacheEntry]) -> dict[str, str]:
    pieces = usage.pieces
    own = pieces.total(pieces.cached - pieces.of(pieces.images)) + usage.cache_bytes
    active = sum(entry.shared for entry in cached)
    return _row("Build Cache", len(cached), active, own, own)


def _row(kind: str, count: int, active: int, size: int, free: int) -> dict[str, str]:
    share = f" ({free * 100 // size}%)" if size else ""
    return {
        "Type": kind,
        "TotalCount": str(count),
        "Active": str(active),
        "Size": format_size(size),
        "Reclaimable": f"{format_size(free)}{share}",
    }


def verbose_tables(usage: DiskUsage, cached: Sequence[CacheEntry]) -> str:
    """Each image, container and volume, and the cache."""
    cache_size = _cache(usage, cached)["Size"]
    return "\n\n".join(
        (
            "Images space usage:",
            format_table(_IMAGE, [row for image in usage.images for row in _image(usage, image)]),
            f"Of that, layers as they came, kept to be pushed and saved: {_kept(usage)}",
            "Containers space usage:",
            format_table(_CONTAINER, [_container(*one) for one in usage.containers]),
            "Local Volumes space usage:",
            format_table(
                _VOLUME,
                [
                    (one.name, str(len(usage.links[one.name])), format_size(size))
                    for one, size in usage.volumes
                ],
            ),
            f"Build cache usage: {cache_size}",
            format_table(_CACHE, [_entry(one) for one in cached]),
        )
    )


def _kept(usage: DiskUsage) -> str:
    pieces = usage.pieces
    blobs = [path for path in pieces.of(pieces.images) if path.startswith(f"{pieces.blobs}/")]
    return format_size(pieces.total(blobs))


_IMAGE = (
    *("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"),
    *("SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"),
)
_CONTAINER = ("CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "STATUS", "NAMES")
_VOLUME = ("VOLUME NAME", "LINKS", "SIZE")
_CACHE = ("CACHE ID", "CACHE TYPE", "SIZE", "LAST USED", "SHARED")


def _image(usage: DiskUsage, image: Image) -> list[tuple[str, ...]]:
    pieces = usage.pieces
    own, shared = pieces.images.get(image.id, frozenset()), pieces.shared(image.id)
    sizes = [pieces.total(which) for which in (own, shared, own - shared)]
    numbers = (*map(format_size, sizes), str(len(usage.users[image.id])))
    return [
        (name or NONE, tag or NONE, format_id(image), format_created(image), *numbers)
        for name, tag in image.repository_tags or (("", ""),)
    ]


def _container(container: Container, size: int) -> tuple[str, ...]:
    volumes = sum(mount.type == "volume" for mount in container.mounts)
    return (
        *(container.id[:12], container.reference, format_command(container)),
        *(str(volumes), format_size(size), format_status(container, time.time()), container.name),
    )


def _entry(entry: CacheEntry) -> tuple[str, ...]:
    name = entry.id.removeprefix("sha256:").rpartition("/")[2][:12]
    used = f"{format_age(max(time.time() - entry.used_at, 0))} ago"
    return name, entry.kind, format_size(entry.size_bytes), used, str(entry.shared).lower()
