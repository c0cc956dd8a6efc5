"""`buoy attach`: several clients, terminals, keys that detach, signals, clients that are slow."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.scenarios.test_foreground import read_until
from tests.waiting import LIMIT_S, eventually

if TYPE_CHECKING:
    from engine import Engine
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

PROJECT = """
services:
  echo:
    image: busybox
    command: sh -c 'trap "echo bye; exit 5" TERM; while read x; do echo got $$x; done; echo end'
    stdin_open: true
    init: true
  shell:
    image: busybox
    command: sh
    tty: true
    stdin_open: true
    stop_grace_period: 0s
  deaf:
    image: busybox
    command: sh -c 'cat; exec sleep 1000'
    stop_grace_period: 0s
"""


def client(buoy: Buoy, *args: str) -> subprocess.Popen[str]:
    return buoy.start("attach", *args, stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def say(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_all_who_are_attached_hear_and_any_may_speak(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "echo")
    with client(buoy, "echo") as one:
        say(one, "a\n")
        assert hear(one) == "got a\n"
        with client(buoy, "echo") as two:
            say(two, "b\n")
            assert (hear(one), hear(two)) == ("got b\n", "got b\n")
            assert one.stdin is not None
            one.stdin.close()  # the end of one client's input is not that of the container's
            say(two, "c\n")
            assert (hear(one), hear(two)) == ("got c\n", "got c\n")
            two.kill()
            one.kill()
    assert buoy.run("logs", "--no-log-prefix").lines == ["got a", "got b", "got c"]


def test_signals_go_to_the_container_whose_end_is_ours(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "echo")
    with client(buoy, "echo") as one, client(buoy, "--no-stdin", "echo") as two:
        assert two.stdout is not None
        while not select.select([two.stdout], [], [], 0.1)[0]:  # until the second is attached
            say(one, "?\n")
        one.send_signal(signal.SIGTERM)
        for process in (one, two):
            assert read_until(process, "bye").replace("got ?\n", "") == "bye\n"
        assert (one.wait(LIMIT_S), two.wait(LIMIT_S)) == (5, 5)


def test_a_terminal_is_left_by_keys_and_found_again(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "shell")
    terminal = buoy.on_terminal("attach", "shell")
    terminal.send(b"stty size; readlink /proc/self/fd/0\r")
    terminal.expect(b"33 111\r\n/dev/pts/0\r\n")
    terminal.resize(44, 99)
    terminal.send(b"until stty size | grep '44 99'; do sleep 0.02; done\r")
    terminal.expect(b"44 99\r\n")
    terminal.send(b"x=1\r\x10\x11")
    assert terminal.end() == 0
    again = buoy.on_terminal("attach", "--detach-keys", "ctrl-x,y", "shell")
    again.send(b"echo x is $x\r")
    again.expect(b"x is 1")
    again.send(b"\x18y")
    assert again.end() == 0
    last = buoy.on_terminal("attach", "shell")
    last.send(b"exit 7\r")
    assert last.end() == 7


def test_ctrl_c_on_a_terminal_goes_to_the_program(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "shell")
    terminal = buoy.on_terminal("attach", "shell")
    terminal.send(b"sh -c 'echo on$((1)); exec sleep 99'\r")
    terminal.expect(b"on1\r\n")
    terminal.send(b"\x03")
    terminal.send(b"echo still $((40 + 2))\r")
    terminal.expect(b"still 42")
    terminal.send(b"exit\r")
    assert terminal.end() == 0


def test_a_terminal_that_is_closed_ends_us_alone(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "shell")
    terminal = buoy.on_terminal("attach", "shell")
    terminal.send(b"echo a$((1))\r")
    terminal.expect(b"a1\r\n")
    os.close(terminal.fd)
    assert terminal.process.wait(LIMIT_S) != 0
    assert engine.containers.get("app-shell-1").status == "running"


def test_the_keys_of_dockers_config_count(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.write("docker/config.json", '{"detachKeys": "ctrl-e"}')
    buoy.environment["DOCKER_CONFIG"] = str(buoy.directory / "docker")
    buoy.run("up", "-d", "shell")
    terminal = buoy.on_terminal("attach", "shell")
    terminal.send(b"echo a$((1))\r")
    terminal.expect(b"a1\r\n")
    terminal.send(b"\x05")
    assert terminal.end() == 0


def test_a_client_that_takes_nothing_does_not_hold_up_the_container(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  a:
    image: busybox
    command: sh -c 'read x; seq 1000000; echo over'
    stdin_open: true
    logging: {driver: json-file}
""",
    )
    buoy.run("up", "-d")
    with client(buoy, "a") as slow:
        say(slow, "go\n")
        assert eventually(lambda: "Exited (0)" in buoy.run("ps", "-a").stdout)
        lines = buoy.run("logs", "--no-log-prefix").lines
        assert lines == [*map(str, range(1, 1_000_001)), "over"]
        heard, said = slow.communicate(timeout=LIMIT_S)
        assert heard.startswith("1\n2\n3\n")
        assert len(heard) < 6_888_896
        assert "bytes of output were skipped" in said
        assert slow.returncode == 0


def test_only_what_runs_can_be_attached_to(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("create")
    done = buoy.run("attach", "shell", check=False)
    assert done.exit_code == 1
    assert "service `shell` is not running" in done.stderr
    buoy.run("up", "-d", "deaf")
    done = buoy.run("attach", "--detach-keys", "ctrl-1", "deaf", check=False)
    assert done.exit_code == 1
    assert "`ctrl-1` is not a key" in done.stderr
