"""Containers that prepare a service, through the command."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  web:
    image: busybox
    command: sh -c 'cat /data/ready; sleep 1000'
    user: app
    scale: 2
    stop_grace_period: 0s
    environment: {WHO: service, WHERE: here}
    volumes: ["data:/data", "./out:/out"]
    pre_start:
      - command: ["sh", "-c", "echo $$WHO $$WHERE $$(id -u) $$(pwd) > /data/ready"]
        user: root
        working_dir: /tmp
        environment: {WHO: hook}
      - command: ["sh", "-c", "cat /data/ready >> /out/runs"]
        user: root
volumes: {data: }
"""


@pytest.fixture
def prepared(buoy: Buoy) -> Buoy:
    buoy.write("compose.yaml", TEXT)
    buoy.write("out/.keep", "")
    return buoy


def runs(buoy: Buoy) -> list[str]:
    path = buoy.directory / "out/runs"
    return path.read_text().splitlines() if path.exists() else []


def test_they_run_once_for_all_replicas_and_leave_nothing(prepared: Buoy) -> None:
    up = prepared.run("up", "-d").stderr
    assert " Container web-pre_start-1  Exited\n" in up
    assert runs(prepared) == ["hook here 0 /tmp"]
    assert eventually(lambda: "hook here 0 /tmp" in prepared.run("logs", "web").stdout)
    assert len(prepared.run("ps", "-aq").lines) == 2
    prepared.run("up", "-d", "--scale", "web=3")
    assert len(runs(prepared)) == 1
    prepared.run("up", "-d", "--force-recreate")
    assert len(runs(prepared)) == 2
    prepared.run("down", "-v")


def test_another_hook_makes_other_containers(prepared: Buoy) -> None:
    prepared.run("up", "-d")
    prepared.write("compose.yaml", TEXT.replace("WHO: hook", "WHO: other"))
    assert "configuration changed: pre_start" in prepared.run("plan").stdout
    prepared.run("up", "-d")
    assert runs(prepared)[1:] == ["other here 0 /tmp"]


def test_one_that_fails_keeps_the_service_from_starting(prepared: Buoy) -> None:
    failing = TEXT.replace("> /data/ready", "; echo broken >&2; exit 3")
    prepared.write("compose.yaml", failing)
    done = prepared.run("up", "-d", check=False)
    assert done.exit_code == 1
    assert "error: hook-failed" in done.stderr
    assert "compose.yaml:12:9: pre_start of service web ended with 3: sh -c" in done.stderr
    assert "hint: it wrote: hook here 0 /tmp | broken" in done.stderr
    left = map(json.loads, prepared.run("ps", "-a", "--format", "json").lines)
    assert {one["Name"]: one["State"] for one in left} == {
        "app-web-1": "created",
        "app-web-2": "created",
        "app-web-pre_start-1": "exited",
    }
    assert "orphan" not in prepared.run("plan").stderr
    prepared.write("compose.yaml", TEXT)
    prepared.run("up", "-d")
    assert runs(prepared) == ["hook here 0 /tmp"]
    assert len(prepared.run("ps", "-aq").lines) == 2


def test_what_a_failed_one_left_goes_with_the_project(prepared: Buoy) -> None:
    prepared.write("compose.yaml", TEXT.replace("> /data/ready", "; exit 3"))
    assert prepared.run("up", "-d", check=False).exit_code == 1
    prepared.run("down")
    assert prepared.run("ps", "-aq").lines == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_one_that_is_under_way_when_the_command_ends_is_run_again(
    prepared: Buoy, number: signal.Signals
) -> None:
    prepared.write("compose.yaml", TEXT.replace("> /data/ready", ">> /out/runs; sleep 1000"))
    process = prepared.start("up", "-d")
    assert eventually(lambda: runs(prepared))
    process.send_signal(number)
    process.communicate()
    assert process.returncode != 0
    prepared.write("compose.yaml", TEXT)
    prepared.run("up", "-d")
    assert len(prepared.run("ps", "-aq").lines) == 2
