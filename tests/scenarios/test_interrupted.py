"""A command that is killed at any moment: the next one puts things right."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

FOUR = "services:\n" + "".join(
    f"  s{number}: {{image: busybox, command: sleep 1000, stop_grace_period: 0s,"
    f' environment: {{V: "1"}}}}\n'
    for number in range(4)
)
MOMENTS_S = (0.08, 0.14, 0.2, 0.26, 0.32, 0.4)


@pytest.mark.parametrize("moment_s", MOMENTS_S)
def test_up_killed_while_it_creates(buoy: Buoy, moment_s: float) -> None:
    buoy.write("compose.yaml", FOUR)
    process = buoy.start("up", "-d")
    time.sleep(moment_s)
    process.kill()
    process.communicate()
    buoy.run("ps", "-a")
    buoy.run("up", "-d")
    assert buoy.run("ps", "--services").lines == ["s0", "s1", "s2", "s3"]
    assert buoy.run("plan").stdout == "nothing to do\n"


@pytest.mark.parametrize("moment_s", MOMENTS_S)
def test_up_killed_while_it_recreates(buoy: Buoy, moment_s: float) -> None:
    buoy.write("compose.yaml", FOUR)
    buoy.run("up", "-d")
    buoy.write("compose.yaml", FOUR.replace('"1"', '"2"'))
    process = buoy.start("up", "-d")
    time.sleep(moment_s)
    process.kill()
    process.communicate()
    buoy.run("up", "-d")
    names = [line.split()[0] for line in buoy.run("ps", "-a").lines[1:]]
    assert names == [f"app-s{number}-1" for number in range(4)]
    for number in range(4):
        assert buoy.run("exec", "-T", f"s{number}", "sh", "-c", "echo $V").stdout == "2\n"
    assert buoy.run("plan").stdout == "nothing to do\n"


def test_down_after_an_interrupted_up(buoy: Buoy) -> None:
    buoy.write("compose.yaml", FOUR)
    process = buoy.start("up", "-d")
    time.sleep(0.2)
    process.kill()
    process.communicate()
    buoy.run("down", "-t", "0")
    assert buoy.run("ps", "-aq").lines == []
