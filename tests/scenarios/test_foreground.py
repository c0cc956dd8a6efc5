"""Foreground `up`: what is shown, how it ends."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    import subprocess

    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

PATIENT = """
services:
  web:
    image: busybox
    command: sh -c 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done'
    stop_grace_period: 100s
"""
STUBBORN = PATIENT.replace("echo bye; exit 0", ":").replace("web:", "web:\n    init: true")


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """The output of a command until a line holds `text`."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"no `{text}` in:\n{seen}")


def test_it_returns_when_all_have_ended(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  a: {image: busybox, command: "sh -c 'echo one; exit 3'"}
  bb: {image: busybox, command: "sh -c 'sleep 0.3; echo two >&2'"}
""",
    )
    done = buoy.run("up")
    assert "Attaching to a-1, bb-1" in done.stderr
    assert set(done.lines) == {"a-1   | one", "a-1 exited with code 3", "bb-1 exited with code 0"}
    assert "bb-1  | two" in done.stderr


def test_what_keeps_no_log_is_shown_too(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  a:
    image: busybox
    command: "sh -c 'echo one; echo two >&2; printf thr; sleep 0.2; echo ee; printf four'"
    logging: {driver: none}
  b: {image: busybox, command: echo five, logging: {driver: none}, attach: false}
""",
    )
    done = buoy.run("up")
    assert done.lines == ["a-1  | one", "a-1  | three", "a-1  | four", "a-1 exited with code 0"]
    assert "a-1  | two\n" in done.stderr


def test_what_runs_already_and_keeps_no_log_is_shown_from_now_on(buoy: Buoy) -> None:
    text = PATIENT.replace("web:", "web:\n    logging: {driver: none}").replace(
        "sleep 0.05;", "sleep 0.05; echo on;"
    )
    buoy.write("compose.yaml", text)
    buoy.run("up", "-d")
    process = buoy.start("up")
    read_until(process, "web-1  | on")
    process.send_signal(signal.SIGINT)
    assert "web-1  | bye" in process.communicate()[0]


def test_ctrl_c_stops_gracefully(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PATIENT)
    process = buoy.start("up")
    read_until(process, "| up")
    process.send_signal(signal.SIGINT)
    rest = process.communicate()[0]
    assert "Gracefully Stopping... press Ctrl+C again to force" in rest
    assert "web-1  | bye" in rest
    assert "web-1 exited with code 0" in rest
    assert process.returncode == 0
    assert buoy.run("ps", "--status", "exited", "--services").lines == ["web"]


def test_a_second_ctrl_c_kills(buoy: Buoy) -> None:
    buoy.write("compose.yaml", STUBBORN)
    process = buoy.start("up")
    read_until(process, "| up")
    process.send_signal(signal.SIGINT)
    read_until(process, "Gracefully Stopping")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=50)  # half of the grace period
    assert process.returncode == 130
    assert "Exited (137)" in buoy.run("ps", "-a").stdout


def test_the_first_exit_stops_all_when_asked(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  server: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
  tests: {image: busybox, command: "sh -c 'sleep 0.2; exit 5'"}
""",
    )
    assert buoy.run("up", "--abort-on-container-exit", check=False).exit_code == 5
    assert buoy.run("ps", "-q").lines == []


def test_the_exit_code_of_one_service(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  server: {image: busybox, command: "sh -c 'sleep 0.2; exit 9'"}
  tests: {image: busybox, command: sleep 1000, init: true, stop_grace_period: 100s}
""",
    )
    done = buoy.run("up", "--exit-code-from", "tests", check=False)
    assert done.exit_code == 143


def test_only_what_is_attached_is_shown(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  a: {image: busybox, command: echo one}
  b: {image: busybox, command: echo two}
""",
    )
    assert "two" not in buoy.run("up", "--no-attach", "b").stdout
    assert "one" not in buoy.run("up", "--attach", "b").stdout


def test_earlier_lines_are_not_shown_again(buoy: Buoy) -> None:
    buoy.write("compose.yaml", "services: {a: {image: busybox, command: echo once}}\n")
    buoy.run("up")
    assert buoy.run("up").lines.count("a-1  | once") == 1


def test_every_restart_is_told_and_the_end_last(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  flaky: {image: busybox, command: "sh -c 'echo up; exit 4'", restart: "on-failure:2"}
""",
    )
    lines = buoy.run("up").lines
    assert lines.count("flaky-1  | up") == 3
    assert lines.count("flaky-1 exited with code 4 (restarting)") == 2
    assert lines[-1] == "flaky-1 exited with code 4"


def test_what_another_command_recreates_or_adds_is_followed(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PATIENT)
    process = buoy.start("up")
    read_until(process, "web-1  | up")
    buoy.run("up", "-d", "--force-recreate")
    read_until(process, "web-1 exited with code 0")
    read_until(process, "web-1  | up")
    buoy.run("up", "-d", "--scale", "web=2")
    read_until(process, "web-2  | up")
    process.send_signal(signal.SIGINT)
    rest = process.communicate()[0]
    assert "web-2 exited with code 0" in rest
    assert buoy.run("ps", "-q").lines == []


def test_a_lost_terminal_leaves_the_containers_running(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PATIENT)
    process = buoy.start("up")
    read_until(process, "web-1  | up")
    process.send_signal(signal.SIGHUP)
    process.communicate()
    assert buoy.run("ps", "--services").lines == ["web"]
