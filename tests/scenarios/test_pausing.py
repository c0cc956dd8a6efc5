"""`buoy pause` and `buoy unpause`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.marks import needs_root

if TYPE_CHECKING:
    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root
TWO = """
services:
  web: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
  db: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
"""


def paused(buoy: Buoy) -> list[str]:
    return buoy.run("ps", "--services", "--status", "paused").lines


def test_pausing_and_going_on(buoy: Buoy, busybox: Image) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    assert buoy.run("pause", "web").stderr == " Container web-1  Paused\n"
    assert paused(buoy) == ["web"]
    assert "(Paused)" in buoy.run("ps", "web").stdout
    refused = buoy.run("exec", "-T", "web", "true", check=False)
    assert "error: container-paused" in refused.stderr
    assert refused.exit_code == 1
    again = buoy.run("up", "-d", check=False)
    assert "app-web-1 is paused: it cannot be started" in again.stderr
    assert again.exit_code == 1
    assert " Container db-1  Paused\n" in buoy.run("pause").stderr
    assert buoy.run("unpause", "web").stderr == " Container web-1  Unpaused\n"
    assert paused(buoy) == ["db"]
    assert buoy.run("unpause").stderr == " Container db-1  Unpaused\n"
    assert buoy.run("exec", "-T", "web", "true").exit_code == 0
    assert buoy.run("unpause").stderr == ""


def test_what_is_paused_can_be_stopped_recreated_and_removed(buoy: Buoy, busybox: Image) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    buoy.run("pause")
    buoy.run("stop", "db")
    buoy.write("compose.yaml", TWO.replace("1000", "2000"))
    buoy.run("up", "-d", "web")
    assert paused(buoy) == []
    buoy.run("pause", "web")
    buoy.run("down")
    assert buoy.run("ps", "-aq").stdout == ""
