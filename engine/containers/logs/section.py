"""What the launch record says of a container's log: `drivers.open_log` goes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.containers.logs import drivers
from engine.containers.logs.attributes import log_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.containers.spec import ContainerSpec


def log_section(
    container_id: str, spec: ContainerSpec, directory: str, environment: Iterable[str]
) -> dict[str, Any]:
    """`buoy.log`, with the driver's defaults where nothing is asked for.

    directory    the durable one of the container
    environment  its variables, as KEY=VALUE
    """
    log = spec.log
    given = (log.max_size_bytes, log.max_files, log.compress)
    defaults = drivers.DEFAULTS[log.driver]
    size, files, compress = (
        default if value is None else value for value, default in zip(given, defaults, strict=True)
    )
    return {
        "driver": log.driver,
        "path": drivers.log_path(directory, container_id, log.driver),
        "max_size_bytes": size,
        "max_files": files,
        "compress": compress,
        "attributes": log_attributes(
            log.attributes,
            spec.labels,
            dict(entry.split("=", 1) for entry in environment),
            {
                "ID": container_id[:12],
                "FullID": container_id,
                "Name": spec.name,
                "ImageName": spec.reference or spec.image,
                "ImageFullID": spec.image,
            },
        ),
    }
