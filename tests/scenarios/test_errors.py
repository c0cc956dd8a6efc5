"""What a user sees when something is wrong: what, where, what to do; never a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND

if TYPE_CHECKING:
    from engine import Engine
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root

SERVICE = "services:\n  web:\n    image: busybox\n    command: sleep 1000\n"


def failure(buoy: Buoy, text: str, *args: str) -> str:
    """The messages of a command that fails on a project file."""
    buoy.write("compose.yaml", text)
    done = buoy.run(*(args or ("up", "-d")), check=False)
    assert done.exit_code == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_syntax_error_has_its_place(buoy: Buoy) -> None:
    said = failure(buoy, "services:\n  web: [image: busybox\n")
    assert "error: yaml-syntax" in said
    assert "compose.yaml:" in said


def test_an_unknown_key_is_answered_with_the_nearest(buoy: Buoy) -> None:
    said = failure(buoy, SERVICE + "    comand: x\n")
    assert "error: unknown-key" in said
    assert "compose.yaml:5:5: " in said
    assert "did you mean `command`?" in said


def test_an_undefined_dependency(buoy: Buoy) -> None:
    said = failure(buoy, SERVICE + "    depends_on: [wib]\n")
    assert "error: unknown-service" in said
    assert "compose.yaml:5:" in said


def test_a_cycle_is_named(buoy: Buoy) -> None:
    text = SERVICE + "    depends_on: [db]\n  db:\n    image: busybox\n    depends_on: [web]\n"
    said = failure(buoy, text)
    assert "error: dependency-cycle" in said


def test_a_missing_image_with_policy_never(buoy: Buoy) -> None:
    said = failure(buoy, SERVICE.replace("busybox", "nowhere.invalid/x\n    pull_policy: never"))
    assert "nowhere.invalid/x" in said
    assert "error: " in said


@pytest.mark.usefixtures("busybox")
def test_a_port_in_use_is_named_with_its_holder(buoy: Buoy) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        said = failure(buoy, SERVICE + f'    ports: ["127.0.0.1:{port}:80"]\n')
    assert "error: port-taken" in said
    assert str(port) in said
    assert f"process {os.getpid()}" in said


@pytest.mark.usefixtures("busybox")
def test_a_range_of_which_no_port_is_free_names_who_has_them(buoy: Buoy) -> None:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.8", 20_001))
        second.bind(("127.0.0.8", 20_002))
        for held in (first, second):
            held.listen()
        said = failure(buoy, SERVICE + '    ports: ["127.0.0.8:20001-20002:80"]\n')
    assert "error: port-taken" in said
    assert (
        f"no port of 127.0.0.8:20001-20002/tcp is free: they are in use by process {os.getpid()}"
        in said
    )


@pytest.mark.usefixtures("busybox")
def test_a_port_of_another_project_is_named_with_both_and_nothing_is_half_made(
    buoy: Buoy, engine: Engine
) -> None:
    text = SERVICE + '    restart: always\n    ports: ["80", "127.0.0.1:{}:80"]\n'
    buoy.write("compose.yaml", text.format(0))
    buoy.run("-p", "first", "up", "-d")
    port = buoy.run("-p", "first", "port", "web", "80").stdout.rpartition(":")[2].strip()
    said = failure(buoy, text.format(port), "-p", "second", "up", "-d")
    assert f":{port}/tcp is in use by container first-web-1 of project first" in said
    assert "compose.yaml:6:" in said or "compose.yaml:3:" in said
    failed = engine.containers.get("second-web-1")
    assert (failed.status, failed.exit_code, failed.ports) == ("created", 128, ())
    assert engine.networks.endpoints(engine.networks.get("second_default")) == []

    buoy.run("-p", "first", "down", "-t", "0")
    assert engine.containers.get("second-web-1").status == "created"  # no policy acts on it
    buoy.run("-p", "second", "up", "-d")
    buoy.run("-p", "second", "down", "-t", "0")


@pytest.mark.usefixtures("busybox")
def test_a_bind_source_that_does_not_exist(buoy: Buoy) -> None:
    mount = "{type: bind, source: ./missing, target: /x, bind: {create_host_path: false}}"
    said = failure(buoy, SERVICE + f"    volumes: [{mount}]\n")
    assert "app/missing" in said
    assert "error: " in said


@pytest.mark.usefixtures("busybox")
def test_a_command_that_does_not_exist(buoy: Buoy) -> None:
    said = failure(buoy, SERVICE.replace("sleep 1000", "nosuch"))
    assert "error: command-not-found" in said


def test_a_service_that_does_not_exist_is_answered_with_the_nearest(buoy: Buoy) -> None:
    said = failure(buoy, SERVICE, "up", "-d", "wb")
    assert said == ("error: unknown-service\nthere is no service `wb`\nhint: did you mean `web`?\n")


def test_exec_in_a_service_that_does_not_run(buoy: Buoy) -> None:
    said = failure(buoy, SERVICE, "exec", "-T", "web", "true")
    assert "error: not-running\nservice `web` is not running" in said


@pytest.mark.usefixtures("busybox")
def test_exec_of_a_command_that_does_not_exist(buoy: Buoy) -> None:
    buoy.write("compose.yaml", SERVICE + "    stop_grace_period: 0s\n")
    buoy.run("up", "-d")
    done = buoy.run("exec", "-T", "web", "nosuch", check=False)
    assert done.exit_code == 127
    assert done.stderr.splitlines()[0] == "error: command-not-found"
    assert len(done.stderr.splitlines()) == 2


def test_no_file_at_all(buoy: Buoy) -> None:
    done = buoy.run("up", "-d", check=False)
    assert done.exit_code == 1
    assert "error: no-project-file" in done.stderr


def test_without_root_it_says_so_and_shows_the_plan(buoy: Buoy) -> None:
    buoy.write("compose.yaml", SERVICE)
    for directory in (buoy.directory, *buoy.directory.parents):
        if directory == Path(tempfile.gettempdir()):
            break
        directory.chmod(0o755)  # pytest's own are for their owner alone
    up, plan = as_nobody(buoy, "up", "-d"), as_nobody(buoy, "plan")
    assert up.returncode == 1
    assert "error: not-root" in up.stderr
    assert "hint: sudo buoy up -d" in up.stderr
    assert plan.returncode == 0, plan.stderr
    assert "create container web-1: missing" in plan.stdout


def as_nobody(buoy: Buoy, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *args],
        cwd=buoy.directory,
        env=buoy.environment,
        user=65534,
        group=65534,
        extra_groups=(),
        capture_output=True,
        text=True,
        check=False,
    )
