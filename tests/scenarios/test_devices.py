"""Devices of a service, through the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  app:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    devices:
      - /dev/fuse:/dev/mine:r
    device_cgroup_rules: ["c 10:237 rw"]
"""


def test_a_service_has_its_devices(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.run("up", "-d")
    script = ": < /dev/mine && echo r; (: > /dev/mine) 2>/dev/null || echo no-w;"
    script += "mknod /dev/loop c 10 237; : <> /dev/loop && echo loop"
    assert buoy.run("exec", "-T", "app", "sh", "-c", script).lines == ["r", "no-w", "loop"]
    buoy.write("compose.yaml", TEXT.replace("mine:r", "mine:rw"))
    assert "configuration changed: devices" in buoy.run("plan").stdout


@pytest.mark.parametrize(
    ("keys", "where", "what"),
    [
        ("devices: [/dev/nowhere]", "4:5", "/dev/nowhere does not exist"),
        ("devices: ['/dev/fuse:/dev/fuse:x']", "4:15", "`x` are no permissions"),
        ("device_cgroup_rules: [everything]", "4:27", "`everything` is not of the form"),
        ("devices: ['vendor.com/class=x']", "4:5", "no CDI specification"),
        ("gpus: all", "4:5", "nvidia.com/gpu=all"),
        ("gpus: [{driver: voodoo}]", "4:5", "no driver `voodoo`"),
        (
            "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 1}]}}}",
            "4:5",
            "nvidia.com/gpu=0",
        ),
    ],
)
def test_what_is_not_there_is_told_with_its_place(
    buoy: Buoy, keys: str, where: str, what: str
) -> None:
    said = buoy.refused(keys)
    assert what in said
    assert f"compose.yaml:{where}" in said
