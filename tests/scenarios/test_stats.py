"""`buoy stats` and `buoy top`."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root
TWO = """
services:
  web: {image: busybox, command: sleep 1000, mem_limit: 64m, stop_grace_period: 0s}
  db:
    {image: busybox, command: ['sh', '-c', 'while :; do :; done'], cpus: 0.1, stop_grace_period: 0s}
"""


@pytest.fixture
def two(buoy: Buoy, busybox: Image) -> Buoy:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    return buoy


def cpu_percentage(buoy: Buoy, service: str) -> float:
    """What it has used between two looks."""
    (line,) = buoy.run("stats", "--no-stream", "--format", "json", service).lines
    return float(json.loads(line)["CPUPerc"].rstrip("%"))


def test_usage_and_processes(two: Buoy) -> None:
    title, *rows = two.run("stats", "--no-stream").lines
    assert title.split("   ")[0] == "CONTAINER ID"
    assert title.endswith("PIDS")
    assert [row.split()[1] for row in rows] == ["app-db-1", "app-web-1"]
    (line,) = two.run("stats", "--no-stream", "--format", "json", "web").lines
    found = json.loads(line)
    assert found["Name"] == "app-web-1"
    assert found["MemUsage"].endswith(" / 64MiB")
    assert found["PIDs"] == "1"
    assert eventually(lambda: cpu_percentage(two, "web") == 0)
    assert found["ID"] == found["Container"]
    assert len(found["ID"]) == 12
    template = "table {{.Name}}\\t{{.PIDs}}"
    heads, *_ = two.run("stats", "--no-stream", "--format", template, "web").lines
    assert heads.split() == ["NAME", "PIDS"]
    assert eventually(lambda: 2 < cpu_percentage(two, "db") < 40)

    title, *rows = two.run("top").lines
    assert title.split() == ["SERVICE", "#", "UID", "PID", *title.split()[4:8], "TIME", "CMD"]
    assert [row.split()[:3] for row in rows] == [["db", "1", "root"], ["web", "1", "root"]]
    assert rows[1].endswith("sleep 1000")
    assert len(two.run("top", "web").lines) == 2

    two.run("stop", "web")
    assert len(two.run("stats", "--no-stream").lines) == 2
    stopped = two.run("stats", "--no-stream", "-a").lines[2]
    assert stopped.split()[2:4] == ["0.00%", "0B"]
    assert two.run("top", "web").stdout == ""


def test_it_goes_on_until_it_is_interrupted(two: Buoy) -> None:
    command = two.start("stats", "--format", "json")
    assert command.stdout is not None
    with command.stdout as lines:
        seen = [json.loads(lines.readline())["Name"] for _ in range(4)]
        command.send_signal(signal.SIGINT)
        assert command.wait(timeout=60) == 130
    assert seen == ["app-db-1", "app-web-1"] * 2


def test_an_unknown_service_is_one(two: Buoy) -> None:
    for verb in (["stats", "--no-stream"], ["top"], ["pause"], ["unpause"]):
        assert "unknown-service" in two.run(*verb, "wep", check=False).stderr
