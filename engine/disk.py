"""What an engine takes on the disk, and what of it is needed: the sums agree with du(1)."""

from __future__ import annotations

import os

from engine.kernel.record import Record
from engine.state.disk import disk_bytes

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.containers.observed import Container
    from engine.engine import Engine
    from engine.images.image import Image
    from engine.images.usage import ImagesUsage
    from engine.rootfs.volumes import Volume


class DiskUsage(Record):
    """Bytes on the disk. Of what is elsewhere, as volumes on NFS, nothing is counted.

    images             newest first, as `Images.list`
    users              image id -> names of the containers made from it, or that mount it
    containers         with their logs
    links              volume -> names of the containers that mount it
    cache_bytes        of the build cache beside its layers: mounts of RUN, downloads, digests
    leftover_bytes     half fetched, half made, half deleted: resumed or deleted by later commands
    """

    images: tuple[Image, ...]
    pieces: ImagesUsage
    users: Mapping[str, tuple[str, ...]]
    containers: tuple[tuple[Container, int], ...]
    volumes: tuple[tuple[Volume, int], ...]
    links: Mapping[str, tuple[str, ...]]
    cache_bytes: int
    leftover_bytes: int


def observe_disk_usage(engine: Engine) -> DiskUsage:
    """Look at every file below the root: 20 us each."""
    roots, images = engine.roots, engine.images
    listed, volumes = tuple(images.list()), engine.volumes.list()
    return DiskUsage(
        images=listed,
        pieces=images.usage(),
        users={image.id: tuple(images.in_use(image.id)) for image in listed},
        containers=tuple(
            (one, disk_bytes(roots.container(one.id))) for one in engine.containers.list()
        ),
        volumes=tuple(
            (one, 0 if one.options else disk_bytes(roots.volume(one.name))) for one in volumes
        ),
        links={one.name: tuple(engine.containers.users_of_volume(one.name)) for one in volumes},
        cache_bytes=disk_bytes(roots.cache),
        leftover_bytes=_below(roots.temporary) + _below(f"{roots.blobs}/ingest"),
    )


def _below(directory: str) -> int:
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return sum(disk_bytes(f"{directory}/{name}") for name in names)
