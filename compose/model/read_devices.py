"""The devices of a service, and the speed of its disks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compose.errors import Conflict, InvalidValue
from compose.model.devices import BlockIO, Device, DeviceRequest
from compose.model.fields import or_none

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.fields import Fields


def read_devices(fields: Fields) -> tuple[Device, ...]:
    """The devices of the host."""
    return tuple(_device(device) for device in fields.each("devices"))


def _device(fields: Fields) -> Device:
    source, permissions = fields.text("source") or "", fields.text("permissions") or "rwm"
    if set(permissions) - set("rwm"):
        what = f"{fields.name()}: `{permissions}` are no permissions of a device"
        fields.note(InvalidValue, what, "permissions", hint="`rwm`, or some of these letters")
    return Device(source=source, target=fields.text("target") or source, permissions=permissions)


def read_device_rules(fields: Fields) -> tuple[str, ...]:
    """`device_cgroup_rules`, as `c 13:* rwm`."""
    rules = fields.texts("device_cgroup_rules")
    for index, rule in enumerate(rules):
        if not re.fullmatch(r"[abc] (\d+|\*):(\d+|\*) [rwm]{1,3}", rule):
            what = f"{fields.name('device_cgroup_rules', index)}: `{rule}` is not of the form"
            fields.note(
                InvalidValue,
                f"{what} `TYPE MAJOR:MINOR RWM`",
                "device_cgroup_rules",
                index,
                hint="as `c 13:* rw`",
            )
    return rules


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
    found = BlockIO(
        weight=block.integer("weight"),
        weight_device=_by_path(block, "weight_device", "weight"),
        device_read_bps=_by_path(block, "device_read_bps", "rate"),
        device_write_bps=_by_path(block, "device_write_bps", "rate"),
        device_read_iops=_by_path(block, "device_read_iops", "rate"),
        device_write_iops=_by_path(block, "device_write_iops", "rate"),
    )
    return or_none(found)


def _by_path(fields: Fields, key: str, value: str) -> tuple[tuple[str, int], ...]:
    return tuple((one.text("path") or "", one.size(value) or 0) for one in fields.each(key))
