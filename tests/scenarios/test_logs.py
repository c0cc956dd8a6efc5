"""`buoy logs` of services with each logging driver."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from compose.ui.logs import stamp_of
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]


def test_every_driver_is_read_and_none_is_said_to_keep_nothing(buoy: Buoy) -> None:
    services = "".join(
        f"  {name}: {{image: busybox, command: seq 3, logging: {{driver: {name}}}}}\n"
        for name in ("json-file", "local", "none")
    )
    buoy.write("compose.yaml", f"services:\n{services}")
    buoy.run("up", "--abort-on-container-failure")
    done = buoy.run("logs", "--no-log-prefix", "-n", "2")
    assert sorted(done.lines) == ["2", "2", "3", "3"]
    assert "none-1: nothing is kept of what it writes" in done.stderr


def test_an_unknown_driver_is_refused_with_its_place(buoy: Buoy) -> None:
    buoy.write("compose.yaml", "services: {a: {image: busybox, logging: {driver: syslog}}}\n")
    done = buoy.run("up", "-d", check=False)
    assert done.exit_code == 1
    assert "compose.yaml:1:" in done.stderr
    assert "driver `syslog` is not built yet" in done.stderr
    assert "`json-file`, `local` and `none` are" in done.stderr


def test_following_ends_at_the_time_that_was_given(buoy: Buoy) -> None:
    script = "echo before; while :; do sleep 0.1; echo tick; done"
    buoy.write(
        "compose.yaml",
        f"""
services:
  a: {{image: busybox, command: [sh, -c, '{script}'], stop_grace_period: 0s}}
""",
    )
    buoy.run("up", "-d")
    assert eventually(lambda: "tick" in buoy.run("logs").stdout)
    until = time.time() + 1.5
    done = buoy.run("logs", "-f", "-t", "--no-log-prefix", "--until", str(until))
    assert time.time() >= until
    assert "before" in done.lines[0]
    assert all(line.split()[0] <= stamp_of(until) for line in done.lines)
    assert buoy.run("logs", "-f", "--until", str(until), "-n", "1").lines[0].endswith("tick")
