"""Several commands at once on one container, one network, one address."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from subprocess import Popen

    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

APP = """
services:
  app: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
"""
FIXED = """
services:
  one: &app
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    networks: {fixed: {ipv4_address: 10.77.0.5}}
  two: *app
networks: {fixed: {ipam: {config: [{subnet: 10.77.0.0/24}]}}}
"""


def ends(*running: Popen[str]) -> list[str]:
    """What each has said, where it has failed; "" where it has not."""
    said = [one.communicate()[0] for one in running]
    return [text if one.returncode else "" for one, text in zip(running, said, strict=True)]


def interfaces(buoy: Buoy) -> set[str]:
    lines = buoy.run("exec", "-T", "app", "ip", "-o", "link").lines
    return {line.split(": ")[1].partition("@")[0] for line in lines}


def peopled(buoy: Buoy, *names: str) -> list[bool]:
    found = json.loads(buoy.run("network", "inspect", *names).stdout)
    return [bool(one["Containers"]) for one in found]


def test_changes_of_one_container_at_once_are_all_made(buoy: Buoy) -> None:
    buoy.write("compose.yaml", APP)
    buoy.run("network", "create", "host-side")
    device = json.loads(buoy.run("network", "inspect", "host-side").stdout)[0]["Id"][:12]
    others = [f"n{number}" for number in range(4)]
    for name in others:
        buoy.run("network", "create", name)
    buoy.run("up", "-d")

    connecting = [buoy.start("network", "connect", name, "app-app-1") for name in others]
    plug = ("network", "plug", "app-app-1", "--bridge", f"br-{device}", "--name", "lab0")
    repairing = buoy.start("network", "repair")  # which may see what is not done yet
    assert ends(*connecting, buoy.start(*plug, "--address", "10.9.9.9/24")) == [""] * 5
    ends(repairing)
    every = {"lo", "lab0", *(f"eth{number}" for number in range(5))}
    assert interfaces(buoy) == every
    assert peopled(buoy, *others) == [True] * 4

    leaving = [buoy.start("network", "disconnect", name, "app-app-1") for name in others[:2]]
    assert ends(*leaving, buoy.start("network", "unplug", "app-app-1")) == [""] * 3
    assert len(interfaces(buoy)) == 4
    buoy.run("restart", "app")  # as it is on record
    assert peopled(buoy, *others) == [False, False, True, True]
    buoy.run("down")
    buoy.run("network", "rm", "host-side", *others)


def test_a_container_that_is_connected_while_it_starts_is_on_both_networks(buoy: Buoy) -> None:
    buoy.write("compose.yaml", APP)
    buoy.run("network", "create", "extra")
    buoy.run("create")
    for _ in range(3):
        commands = [("start", "app"), ("network", "connect", "extra", "app-app-1")]
        assert ends(*(buoy.start(*one) for one in commands)) == ["", ""]
        assert interfaces(buoy) == {"lo", "eth0", "eth1"}
        buoy.run("stop", "app")
        buoy.run("network", "disconnect", "extra", "app-app-1")
    buoy.run("down")
    buoy.run("network", "rm", "extra")


def test_a_network_is_removed_or_has_the_container_that_comes_to_it(buoy: Buoy) -> None:
    buoy.write("compose.yaml", APP)
    buoy.run("up", "-d")
    for _ in range(5):
        buoy.run("network", "create", "brief")
        connecting = buoy.start("network", "connect", "brief", "app-app-1")
        removing = buoy.start("network", "rm", "brief")
        connected, removed = ends(connecting, removing)
        if removed:
            assert "network brief has active endpoints: app-app-1" in removed
            assert connected == ""
            assert interfaces(buoy) == {"lo", "eth0", "eth1"}
            buoy.run("network", "disconnect", "brief", "app-app-1")
            buoy.run("network", "rm", "brief")
        else:
            assert "not found" in connected or "has just been removed" in connected
            assert interfaces(buoy) == {"lo", "eth0"}
        assert buoy.run("network", "repair").stdout == ""


def test_one_of_two_that_start_at_once_has_the_static_address(buoy: Buoy) -> None:
    buoy.write("compose.yaml", FIXED)
    buoy.run("create")
    for _ in range(3):
        first, second = ends(buoy.start("start", "one"), buoy.start("start", "two"))
        assert (first == "") != (second == "")
        assert "address 10.77.0.5 is in use by container app-" in first + second
        buoy.run("stop", "-t", "0")
