"""What was taken away behind our back is put back by the next command."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

ONE = "services: {web: {image: busybox, command: sleep 1000, stop_grace_period: 0s}}\n"


def state(buoy: Buoy) -> dict[str, int]:
    """What the monitor of the only running container has written."""
    container_id = buoy.run("ps", "-q").stdout.strip()
    path = Path(buoy.roots.container_run(container_id)) / "state.json"
    found: dict[str, int] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("victim", ["monitor", "pid"])
def test_a_killed_monitor_or_init_is_seen_and_started_again(buoy: Buoy, victim: str) -> None:
    buoy.write("compose.yaml", ONE)
    buoy.run("up", "-d")
    os.kill(state(buoy)[victim], signal.SIGKILL)
    assert eventually(lambda: "Exited (137)" in buoy.run("ps", "-a").stdout)
    assert "start container web-1: exited (137)" in buoy.run("plan").stdout
    buoy.run("up", "-d")
    assert "Up " in buoy.run("ps").stdout
    assert buoy.run("exec", "-T", "web", "true").exit_code == 0
