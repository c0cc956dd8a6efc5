"""The devices of a service, and the speed of its disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import Conflict, InvalidValue
from compose.model.devices import BlockIO, Device, DeviceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.fields import Fields


def read_devices(fields: Fields) -> tuple[Device, ...]:
    """The devices of the host."""
    return tuple(
        Device(
            source=device.text("source") or "",
            target=device.text("target") or device.text("source") or "",
            permissions=device.text("permissions") or "rwm",
        )
        for device in fields.each("devices")
    )


def read_requests(fields: Fields, key: str) -> Iterator[DeviceRequest]:
    """`gpus`, or the devices of a reservation."""
    for request in fields.each(key):
        count, device_ids = _count(request), request.texts("device_ids")
        if "count" in request and device_ids:
            what = f"{request.name()}: `count` and `device_ids` exclude each other"
            request.note(Conflict, what, "count")
        yield DeviceRequest(
            driver=request.text("driver"),
            count=-1 if count is None and not device_ids else count,
            device_ids=device_ids,
            capabilities=request.texts("capabilities"),
            options=request.labels("options"),
        )


def _count(fields: Fields) -> int | None:
    text = fields.text("count")
    if text is None or text.lstrip("-").isdecimal():
        return None if text is None else int(text)
    if text != "all":
        what = f"{fields.name('count')}: `{text}` is neither a number nor `all`"
        fields.note(InvalidValue, what, "count")
    return -1


def read_block_io(fields: Fields) -> BlockIO | None:
    """`blkio_config`."""
    block = fields.given("blkio_config")
    if block is None:
        return None
    return BlockIO(
        weight=block.integer("weight"),
        weight_device=_by_path(block, "weight_device", "weight"),
        device_read_bps=_by_path(block, "device_read_bps", "rate"),
        device_write_bps=_by_path(block, "device_write_bps", "rate"),
        device_read_iops=_by_path(block, "device_read_iops", "rate"),
        device_write_iops=_by_path(block, "device_write_iops", "rate"),
    )


def _by_path(fields: Fields, key: str, value: str) -> tuple[tuple[str, int], ...]:
    return tuple((one.text("path") or "", one.size(value) or 0) for one in fields.each(key))
