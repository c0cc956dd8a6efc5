"""Devices of a service, and the speed of its disks."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Device(Record):
    """A device of the host (Compose: services.devices).

    source        path on the host, or a CDI name as `vendor.com/class=name`
    permissions   of `rwm`: read, write, make the node
    """

    source: str
    target: str
    permissions: str = "rwm"


class DeviceRequest(Record):
    """Devices that a driver chooses (Compose: services.gpus, and `deploy`'s reservations.devices).

    count   -1: all; None where `device_ids` names them
    """

    driver: str | None = None
    count: int | None = None
    device_ids: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    options: Mapping[str, str] = {}


class BlockIO(Record):
    """Shares and limits of block devices (Compose: services.blkio_config).

    weight          10 to 1000, relative to other containers
    weight_device   (path, weight)
    device_*_bps    (path, bytes per second)
    device_*_iops   (path, operations per second)
    """

    weight: int | None = None
    weight_device: tuple[tuple[str, int], ...] = ()
    device_read_bps: tuple[tuple[str, int], ...] = ()
    device_write_bps: tuple[tuple[str, int], ...] = ()
    device_read_iops: tuple[tuple[str, int], ...] = ()
    device_write_iops: tuple[tuple[str, int], ...] = ()
