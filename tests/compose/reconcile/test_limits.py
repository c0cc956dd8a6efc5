"""Limits of the file in the engine's words, and back to the place that asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.reconcile.blame import place_of
from compose.reconcile.limits import key_of_field, resources
from compose.reconcile.step import Step
from engine import Resources

if TYPE_CHECKING:
    from tests.compose.projects import Files

MIB = 1 << 20
KEYS = """
    mem_limit: 64m
    memswap_limit: 128m
    mem_reservation: 32m
    mem_swappiness: 5
    oom_kill_disable: true
    cpus: 0.5
    cpu_shares: 512
    cpu_rt_runtime: 95000
    cpu_rt_period: 1000000
    cpuset: 0-1
    pids_limit: 9
    blkio_config:
      weight: 300
      weight_device: [{path: /dev/vda, weight: 200}]
      device_read_bps: [{path: /dev/vda, rate: 1mb}]
      device_write_iops: [{path: /dev/vdb, rate: 30}]
"""
ALL = Resources(
    memory_bytes=64 * MIB,
    memory_swap_bytes=128 * MIB,
    memory_reservation_bytes=32 * MIB,
    swappiness=5,
    oom_kill_disable=True,
    cpus=0.5,
    cpu_shares=512,
    cpu_rt_runtime_us=95_000,
    cpu_rt_period_us=1_000_000,
    cpuset="0-1",
    pids=9,
    io_weight=300,
    io_weight_device=(("/dev/vda", 200),),
    io_read_bps_device=(("/dev/vda", MIB),),
    io_write_iops_device=(("/dev/vdb", 30),),
)


def of(files: Files, keys: str) -> Resources:
    project = files.load(f"services:\n  web:\n    image: x\n    {keys.strip()}\n")
    assert project.not_built == ()
    return resources(project.services["web"])


def test_every_limit_of_a_service_reaches_the_engine(files: Files) -> None:
    assert of(files, KEYS) == ALL


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("init: true", Resources()),
        ("oom_kill_disable: false", Resources()),
        ("cpu_quota: 50000", Resources(cpu_quota_us=50_000)),
        (
            "cpu_quota: 5000\n    cpu_period: 10000",
            Resources(cpu_quota_us=5000, cpu_period_us=10_000),
        ),
        ("cpu_quota: -1", Resources(cpu_quota_us=-1)),
        (
            "deploy: {resources: {limits: {cpus: '0.5', memory: 64m, pids: 3}}}",
            Resources(cpus=0.5, memory_bytes=64 * MIB, pids=3),
        ),
    ],
)
def test_a_quota_and_the_limits_of_deploy(files: Files, keys: str, expected: Resources) -> None:
    assert of(files, keys) == expected


def test_each_setting_is_found_where_it_is_written(files: Files) -> None:
    project = files.load(
        """
        services:
          web: {image: x, mem_limit: 64m, cpus: 1, blkio_config: {weight: 10}}
          db: {image: x, deploy: {resources: {limits: {memory: 64m}}}}
        """
    )

    for service, setting, key in (
        ("web", "memory.limit", "mem_limit"),
        ("db", "memory.limit", "deploy.resources.limits.memory"),
        ("web", "memory.swap", "mem_limit"),  # it is what made the engine limit swap
        ("web", "cpu.quota", "cpus"),
        ("web", "blockIO.weight", "blkio_config.weight"),
    ):
        step = Step(id=1, action="start", kind="container", name="", cause="", service=service)
        where = project.where(f"services.{service}.{key}")
        assert place_of(project, step, "", setting) == where, setting


def test_fields_are_called_as_in_the_file() -> None:
    fields = ("memory_bytes", "io_write_iops_device", "cpu_shares")
    words = ["mem_limit", "blkio_config.device_write_iops", "cpu_shares"]
    assert [key_of_field(field) for field in fields] == words
