"""`buoy exec` in all its forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

PROJECT = """
services:
  web:
    image: busybox
    command: sh -c 'echo replica; exec sleep 1000'
    environment: {A: "1"}
    user: app
    working_dir: /tmp
    stop_grace_period: 0s
    deploy: {replicas: 2}
  loop: {image: busybox, command: "false", restart: always}
"""
SHOW = 'echo $A $B "$(id -u)" "$(pwd)"; test -t 0 && echo terminal; exit 3'


def test_each_option_counts(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "web")
    plain = buoy.run("exec", "web", "sh", "-c", SHOW, check=False)
    assert (plain.lines, plain.exit_code) == (["1 1000 /tmp"], 3)
    options = ("-e", "B=2", "-e", "A=0", "-u", "0", "-w", "/etc", "-T")
    assert buoy.run("exec", *options, "web", "sh", "-c", SHOW, check=False).lines == ["0 2 0 /etc"]
    second = buoy.run("exec", "--index", "2", "web", "hostname").stdout
    assert second != buoy.run("exec", "--index", "1", "web", "hostname").stdout
    caps = "grep CapEff /proc/self/status"
    assert buoy.run("exec", "-u0", "--privileged", "web", "sh", "-c", caps).stdout != (
        buoy.run("exec", "-u0", "web", "sh", "-c", caps).stdout
    )
    assert buoy.run("exec", "web", "cat", input="typed").stdout == "typed"
    for command, code in (("no-such", 127), ("/etc", 126)):
        assert buoy.run("exec", "web", command, check=False).exit_code == code


def test_a_terminal_is_given_where_there_is_one_or_it_is_asked_for(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "web")
    terminal = buoy.on_terminal("exec", "web", "sh", "-c", SHOW)
    assert terminal.end() == 3
    assert b"terminal\r\n" in terminal.seen
    plain = buoy.on_terminal("exec", "-T", "web", "sh", "-c", SHOW)
    assert plain.end() == 3
    assert b"terminal" not in plain.seen
    assert "terminal" in buoy.run("exec", "-t", "web", "sh", "-c", SHOW, check=False).stdout
    assert buoy.run("exec", "-t", "-T", "web", "true", check=False).exit_code == 1


def test_in_the_background_it_runs_on(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "web")
    for option in ("-d", "-dt"):
        script = f"sleep 0.2; echo > /tmp/{option}; sleep 1000"
        assert buoy.run("exec", option, "web", "sh", "-c", script).stdout == ""
        look = ("exec", "web", "sh", "-c", f"until test -e /tmp/{option}; do sleep 0.02; done")
        assert buoy.run(*look).exit_code == 0
    assert "no-such" in buoy.run("exec", "-d", "web", "no-such", check=False).stderr


def test_what_does_not_run_is_refused(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "loop")
    done = buoy.run("exec", "web", "true", check=False)
    assert (done.exit_code, "service `web` is not running" in done.stderr) == (1, True)
    assert eventually(lambda: "Restarting" in buoy.run("ps").stdout)
    assert eventually(lambda: is_refused(buoy))  # but for the moments in which it runs


def is_refused(buoy: Buoy) -> bool:
    done = buoy.run("exec", "loop", "true", check=False)
    return done.exit_code == 1 and ("is restarting" in done.stderr or "has ended" in done.stderr)
