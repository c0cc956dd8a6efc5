"""`logs -f`: what is there, what comes, and what is started later."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.scenarios.test_foreground import read_until

if TYPE_CHECKING:
    import subprocess

    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TICKING = """
services:
  a:
    image: busybox
    command: sh -c 'for i in $$(seq 1000); do echo $$i; [ $$((i % 100)) = 0 ] && sleep 0.1; done'
    stop_grace_period: 0s
  b:
    image: busybox
    command: sh -c 'trap "exit 0" TERM; echo up; while :; do sleep 0.05; done'
"""

IN_TURN = """
services:
  a: &in-turn
    image: busybox
    command: sh -c 'for i in 1 3; do until test -e /turns/$$i; do sleep 0.02; done; echo $$i; done'
    volumes: ["./turns:/turns"]
  b:
    <<: *in-turn
    command: sh -c 'for i in 2 4; do until test -e /turns/$$i; do sleep 0.02; done; echo $$i; done'
"""


def written_in_turn(buoy: Buoy) -> subprocess.Popen[str]:
    """The `up` of two services that have written 1 to 4, each line once the one before was seen."""
    buoy.write("compose.yaml", IN_TURN)
    (buoy.directory / "turns").mkdir()
    process = buoy.start("up")
    for number in range(1, 5):
        buoy.write(f"turns/{number}", "")
        read_until(process, f"| {number}")
    return process


def test_it_ends_with_the_last_container_and_has_every_line(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TICKING)
    buoy.run("up", "-d", "a")
    lines = buoy.run("logs", "-f").lines
    assert lines == [f"a-1  | {number}" for number in range(1, 1001)]


def test_what_is_started_later_is_followed(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TICKING)
    buoy.run("up", "-d", "b")
    process = buoy.start("logs", "-f")
    read_until(process, "b-1  | up")
    buoy.run("up", "-d", "a")
    shown = read_until(process, "a-1  | 1000").splitlines()
    assert shown == [f"a-1  | {number}" for number in range(1, 1001)]
    buoy.run("stop")
    assert process.communicate()[0] == ""
    assert process.returncode == 0


def test_a_container_that_is_started_again_or_replaced_is_followed_on(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TICKING)
    buoy.run("up", "-d")
    process = buoy.start("logs", "-f", "--tail", "1", "b")
    read_until(process, "b-1  | up")
    buoy.run("up", "-d", "--force-recreate", "b")
    read_until(process, "b-1  | up")
    buoy.run("up", "-d", "--scale", "b=2", "b")
    read_until(process, "b-2  | up")
    buoy.run("restart", "b")
    shown = read_until(process, "up") + read_until(process, "up")
    assert sorted(shown.splitlines()) == ["b-1  | up", "b-2  | up"]
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == ""
    assert process.returncode == 130


def test_what_was_written_before_is_merged_by_time(buoy: Buoy) -> None:
    process = written_in_turn(buoy)
    process.kill()
    process.communicate()
    process = buoy.start("logs", "-f")
    assert [line[-1] for line in read_until(process, "| 4").splitlines()] == ["1", "2", "3", "4"]
    process.kill()
    process.communicate()
