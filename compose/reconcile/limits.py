"""The limits of a service in the engine's words, and the keys of the file behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.model.devices import BlockIO
from compose.model.resources import DEFAULT_PERIOD_US
from engine import Resources

if TYPE_CHECKING:
    from compose.model import Service

_DEPLOY = "deploy.resources.limits"
_FIELDS = {  # of engine.Resources -> key of the file; others have one name in both
    "memory_bytes": "mem_limit",
    "memory_reservation_bytes": "mem_reservation",
    "memory_swap_bytes": "memswap_limit",
    "swappiness": "mem_swappiness",
    "cpu_period_us": "cpu_period",
    "cpu_quota_us": "cpu_quota",
    "cpu_rt_period_us": "cpu_rt_period",
    "cpu_rt_runtime_us": "cpu_rt_runtime",
    "pids": "pids_limit",
    **{
        f"io_{word}": f"blkio_config.{key}"
        for word, key in (
            ("weight", "weight"),
            ("weight_device", "weight_device"),
            *((f"{way}_{unit}_device", f"device_{way}_{unit}")
              for way in ("read", "write") for unit in ("bps", "iops")),
        )
    },
}  # fmt: skip
_SETTINGS = {  # of the OCI runtime specification -> keys of the file, the likeliest first
    "memory.limit": (f"{_DEPLOY}.memory", "mem_limit"),
    "memory.swap": ("memswap_limit", f"{_DEPLOY}.memory", "mem_limit"),
    "memory.reservation": ("deploy.resources.reservations.memory", "mem_reservation"),
    "memory.swappiness": ("mem_swappiness",),
    "memory.disableOOMKiller": ("oom_kill_disable",),
    "cpu.shares": ("cpu_shares",),
    "cpu.quota": (f"{_DEPLOY}.cpus", "cpus", "cpu_quota"),
    "cpu.period": ("cpu_period",),
    "cpu.realtimePeriod": ("cpu_rt_period",),
    "cpu.realtimeRuntime": ("cpu_rt_runtime",),
    "cpu.cpus": ("cpuset",),
    "pids.limit": (f"{_DEPLOY}.pids", "pids_limit"),
    "blockIO.weight": ("blkio_config.weight",),
    "blockIO.weightDevice": ("blkio_config.weight_device",),
    "blockIO.throttleReadBpsDevice": ("blkio_config.device_read_bps",),
    "blockIO.throttleWriteBpsDevice": ("blkio_config.device_write_bps",),
    "blockIO.throttleReadIOPSDevice": ("blkio_config.device_read_iops",),
    "blockIO.throttleWriteIOPSDevice": ("blkio_config.device_write_iops",),
}


def resources(service: Service) -> Resources:
    """The limits of each container of a service."""
    wanted, io = service.resources, service.block_io or BlockIO()
    given = wanted.given()
    period_us = wanted.cpu_period_us or DEFAULT_PERIOD_US
    if wanted.cpu_quota_us and wanted.cpus == wanted.cpu_quota_us / period_us:
        del given["cpus"]  # it is what the quota comes to
    for name, value in io.given().items():  # device_read_bps -> io_read_bps_device
        word = name.removeprefix("device_")
        given[f"io_{word}" if word == name else f"io_{word}_device"] = value
    return Resources(**given)


def key_of_field(field: str) -> str:
    """The key of a service that a field of engine.Resources comes from."""
    return _FIELDS.get(field, field)


def keys_of_setting(setting: str) -> tuple[str, ...]:
    """The keys of a service that may be behind a setting, the likeliest first."""
    return _SETTINGS.get(setting, ())
