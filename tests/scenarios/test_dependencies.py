"""Services that wait for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

HEALTHY = """
services:
  db:
    image: busybox
    command: sh -c 'sleep 0.3; touch /ready; exec sleep 1000'
    healthcheck:
      test: "{test}"
      interval: 0.1s
      timeout: 30s
      retries: 3
      start_period: {grace}
      start_interval: 0.1s
    stop_grace_period: 0s
  web:
    image: busybox
    command: sleep 1000
    depends_on: {{db: {{condition: service_healthy}}}}
    stop_grace_period: 0s
"""

ONE_SHOT = """
services:
  migrate:
    image: busybox
    command: sh -c 'exit {code}'
  web:
    image: busybox
    command: sleep 1000
    depends_on: {{migrate: {{condition: service_completed_successfully}}}}
    stop_grace_period: 0s
"""


def test_a_service_starts_when_what_it_needs_is_healthy(buoy: Buoy) -> None:
    buoy.write("compose.yaml", HEALTHY.format(test="test -e /ready", grace="60s"))
    done = buoy.run("up", "-d")
    lines = done.stderr.splitlines()
    assert lines.index(" Container db-1  Healthy") < lines.index(" Container web-1  Started")
    assert "(healthy)" in buoy.run("ps", "db").stdout


def test_a_probe_is_as_good_as_a_healthcheck_and_takes_its_timing(buoy: Buoy) -> None:
    text = HEALTHY.format(test="false", grace="60s")
    probed = text.replace("    healthcheck", "    x-buoy-probe: file:/ready\n    healthcheck")
    buoy.write("compose.yaml", probed)
    done = buoy.run("up", "--wait")
    lines = done.stderr.splitlines()
    assert lines.index(" Container db-1  Healthy") < lines.index(" Container web-1  Started")
    assert "(healthy)" in buoy.run("ps", "db").stdout
    buoy.write("compose.yaml", probed.replace("file:/ready", "{log: no such line}"))
    assert (
        buoy.run("plan").lines[0]
        == "#1 recreate container db-1: configuration changed: x-buoy-probe"
    )
    buoy.write("compose.yaml", probed.replace("file:/ready", "ready"))
    refused = buoy.run("plan", check=False).stderr
    assert "compose.yaml:6:19: services.db.x-buoy-probe: `ready` is not a probe" in refused


def test_a_service_is_not_started_when_what_it_needs_is_unhealthy(buoy: Buoy) -> None:
    buoy.write("compose.yaml", HEALTHY.format(test="false", grace="0s"))
    done = buoy.run("up", "-d", check=False)
    assert done.exit_code == 1
    assert "error: dependency-failed\ncompose.yaml:3:3: container db-1 is unhealthy" in done.stderr
    assert buoy.run("ps", "--services").lines == ["db"]


def test_a_service_starts_when_a_one_shot_has_completed(buoy: Buoy) -> None:
    buoy.write("compose.yaml", ONE_SHOT.format(code=0))
    done = buoy.run("up", "-d", "--wait")
    assert " Container migrate-1  Exited" in done.stderr
    assert buoy.run("ps", "--services").lines == ["web"]


def test_a_one_shot_that_failed_stops_those_that_need_it_alone(buoy: Buoy) -> None:
    text = ONE_SHOT.format(code=3) + "  other: {image: busybox, command: sleep 1000}\n"
    buoy.write("compose.yaml", text)
    done = buoy.run("up", "-d", check=False)
    assert done.exit_code == 1
    assert "migrate-1 didn't complete successfully: exit 3" in done.stderr
    assert buoy.run("ps", "--services").lines == ["other"]


def test_wait_has_a_limit(buoy: Buoy) -> None:
    buoy.write("compose.yaml", HEALTHY.format(test="false", grace="60s"))
    done = buoy.run("up", "--wait", "--wait-timeout", "1", "db", check=False)
    assert done.exit_code == 1
    assert "application not healthy after 1s" in done.stderr


def test_stopping_goes_in_reverse(buoy: Buoy) -> None:
    buoy.write("compose.yaml", HEALTHY.format(test="test -e /ready", grace="60s"))
    buoy.run("up", "-d")
    lines = buoy.run("down").stderr.splitlines()
    assert lines.index(" Container web-1  Stopped") < lines.index(" Container db-1  Stopped")


def test_what_asks_for_it_restarts_along(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  db: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
  web:
    image: busybox
    command: sleep 1000
    depends_on: {db: {condition: service_started, restart: true}}
    stop_grace_period: 0s
""",
    )
    buoy.run("up", "-d")
    both = buoy.run("restart", "-t", "0", "db").stderr
    assert " Container web-1  Restarted (db is restarted)" in both
    alone = buoy.run("restart", "-t", "0", "--no-deps", "db").stderr
    assert "web-1" not in alone
