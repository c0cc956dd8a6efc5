"""Namespaces that services share, through the command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  tools:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    pid: service:app
    ipc: service:app
  host:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    pid: host
    ipc: host
    uts: host
    cgroup: host
  app:
    image: busybox
    command: sleep 1001
    stop_grace_period: 0s
    ipc: shareable
    environment: [ONE]
"""


def test_a_service_sees_the_processes_and_the_memory_of_another(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.run("up", "-d")

    def sh(service: str, script: str) -> list[str]:
        return buoy.run("exec", "-T", service, "sh", "-c", script).lines

    assert sh("tools", "tr '\\0' ' ' < /proc/1/cmdline") == ["sleep 1001 "]
    sh("app", "echo shared > /dev/shm/file")
    assert sh("tools", "cat /dev/shm/file") == ["shared"]
    links = " ".join(f"/proc/self/ns/{kind}" for kind in ("pid", "ipc", "uts", "cgroup"))
    own = [os.readlink(link) for link in links.split()]  # noqa: PTH115
    assert sh("host", f"for link in {links}; do readlink $link; done") == own
    assert buoy.run("up", "-d").stderr.count("Running") == 3


def test_what_shares_a_namespace_follows_a_service_that_is_started_again(buoy: Buoy) -> None:
    text = """
    services:
      app: {image: busybox, command: sleep 1000, stop_grace_period: 0s, ipc: shareable}
      tools:
        {image: busybox, command: sleep 1000, stop_grace_period: 0s,
         network_mode: "service:app", ipc: "service:app"}
    """
    buoy.write("compose.yaml", text)
    buoy.run("up", "-d")
    buoy.run("stop", "app")
    buoy.run("up", "-d")
    links = "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc"
    shown = [buoy.run("exec", "-T", one, "sh", "-c", links).lines for one in ("app", "tools")]
    assert shown[0] == shown[1]


def test_what_shares_a_namespace_follows_a_recreated_service(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.run("up", "-d")
    buoy.run("up", "-d", environment={"ONE": "1"})
    seen = buoy.run("exec", "-T", "tools", "sh", "-c", "tr '\\0' '\\n' < /proc/1/environ")
    assert "ONE=1" in seen.lines
    buoy.run("restart", "app")
    seen = buoy.run("exec", "-T", "tools", "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline")
    assert seen.lines == ["sleep 1001 "]


def test_a_mode_that_cannot_be_is_told_with_its_place(buoy: Buoy) -> None:
    said = buoy.refused("pid: hots")
    assert "compose.yaml:4:10: services.app.pid: `hots` is no namespace" in said
    assert "did you mean `host`?" in said


def test_memory_that_is_not_shared_is_told_with_its_place(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT.replace("ipc: shareable", "ipc: private"))
    done = buoy.run("up", "-d", check=False)
    assert "compose.yaml:8:5: container app-tools-1: app-app-1 does not share" in done.stderr
    assert "ipc-not-shareable" in done.stderr


def test_a_service_in_the_network_of_another(buoy: Buoy) -> None:
    text = """
    services:
      side:
        image: busybox
        command: sh -c "while true; do echo from the side | nc -l -p 8080; done"
        stop_grace_period: 0s
        network_mode: service:app
      app:
        image: busybox
        command: sleep 1000
        stop_grace_period: 0s
        environment: [ONE]
      peer: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
    """
    buoy.write("compose.yaml", text)
    buoy.run("up", "-d")
    asking = "until nc app 8080 < /dev/null; do sleep 0.1; done"
    assert buoy.run("exec", "-T", "peer", "sh", "-c", asking).lines == ["from the side"]
    buoy.run("up", "-d", environment={"ONE": "1"})
    assert buoy.run("exec", "-T", "peer", "sh", "-c", asking).lines == ["from the side"]
    assert buoy.run("exec", "-T", "side", "nslookup", "peer").exit_code == 0
    buoy.write(
        "compose.yaml",
        text.replace("network_mode: service", "ports: [80]\n        network_mode: service"),
    )
    done = buoy.run("up", "-d", check=False)
    assert "network-conflict" in done.stderr
