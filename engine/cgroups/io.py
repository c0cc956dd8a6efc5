"""The blkio controller of v1, called io on v2: shares and speed of block devices."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.cgroups.controls import Controls

_THROTTLES = {  # key of the specification -> file on v1, word on v2
    "throttleReadBpsDevice": ("blkio.throttle.read_bps_device", "rbps"),
    "throttleWriteBpsDevice": ("blkio.throttle.write_bps_device", "wbps"),
    "throttleReadIOPSDevice": ("blkio.throttle.read_iops_device", "riops"),
    "throttleWriteIOPSDevice": ("blkio.throttle.write_iops_device", "wiops"),
}


def limit(controls: Controls, io: dict[str, Any]) -> None:
    """Set `weight` (10 to 1000), `weightDevice`, and the four `throttle...Device`: lists of
    {major, minor, weight or rate}; a rate of 0 is none.

    Source: OCI runtime-spec config-linux "blockIO"; kernel cgroup-v1/blkio-controller.rst,
    cgroup-v2.rst, block/bfq-iosched.rst.
    """
    if io.get("weight"):
        _set_weight(controls, io["weight"])
    for one in io.get("weightDevice") or ():
        if one.get("weight"):
            line, setting = f"{_number(one)} {one['weight']}", "blockIO.weightDevice"
            names = ("blkio.bfq.weight_device", "blkio.weight_device")
            controls.put(setting, line, *(names if controls.version == 1 else ("io.bfq.weight",)))
    for key, (name, word) in _THROTTLES.items():
        for one in io.get(key) or ():
            if controls.version == 2:
                line = f"{_number(one)} {word}={one['rate'] or 'max'}"
                controls.put(f"blockIO.{key}", line, "io.max")
            else:
                controls.put(f"blockIO.{key}", f"{_number(one)} {one['rate']}", name)
    if io.get("leafWeight"):
        controls.discard("blockIO.leafWeight", "kernels of today have no such setting")


def _set_weight(controls: Controls, given: int) -> None:
    """BFQ takes it as it is; the io controller of v2 counts from 1 to 10000."""
    setting = "blockIO.weight"
    if controls.version != 2:
        controls.put(setting, given, "blkio.bfq.weight", "blkio.weight")
    elif not controls.put(setting, given, "io.bfq.weight"):
        controls.discarded.pop()
        controls.put(setting, f"default {weight(given)}", "io.weight")


def weight(given: int) -> int:
    """A v1 weight (10..1000) as one of v2 (1..10000): 500 -> 4950."""
    return 1 + (given - 10) * 9999 // 990


def _number(device: dict[str, Any]) -> str:
    return f"{device['major']}:{device['minor']}"
