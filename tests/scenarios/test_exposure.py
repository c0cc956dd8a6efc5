"""From where a project's ports can be reached, said and changed through the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.engine.network.world import run
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy, Lan

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

PROJECT = """
services:
  web:
    image: busybox
    command: [httpd, -f, -p, "80", -h, /etc]
    ports: ["8080:80"]
    stop_grace_period: 0s
  db: {image: busybox, command: sleep 1000, ports: ["127.0.0.1:5432:5432"], stop_grace_period: 0s}
"""
FETCH = "wget -qO- -T {} http://{}:{}/passwd"


def fetched(host: str, port: int = 8080, *, patience_s: int = 1) -> bool:
    """Whether the server answers who is in the namespace of the test."""
    return "root:" in run("sh", "-c", f"{FETCH.format(patience_s, host, port)} || true")


def is_served(host: str, port: int = 8080) -> bool:
    """The same of what must answer, as soon as the server listens."""
    return eventually(lambda: fetched(host, port, patience_s=20))


def test_loopback_keeps_the_lan_out_until_it_is_taken_back(lan: Lan, buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    done = buoy.run("up", "-d")
    line = f" web: http://localhost:8080 — this LAN (uplink {lan.host})\n"
    assert line in done.stderr
    assert " db: localhost:5432 — this host only\n" in done.stderr
    with lan.there():
        assert is_served(lan.host)
    assert line in buoy.run("up", "-d").stderr  # also where there is nothing to do
    assert line not in buoy.run("--progress", "quiet", "up", "-d").stderr

    plan = buoy.run("plan", "--loopback").stdout
    assert "recreate container web-1: configuration changed: ports for this host alone" in plan
    assert "db-1" not in buoy.run("up", "-d", "--loopback").stdout
    assert is_served("127.0.0.1")
    assert is_served("[::1]")
    with lan.there():
        assert not fetched(lan.host)
    titles, _, web = buoy.run("ps", "--exposure").lines
    assert titles.endswith("EXPOSURE")
    assert web.endswith("this host only")
    shown = json.loads(buoy.run("ps", "--format", "json", "web").stdout)["Exposure"]
    assert [(one["URL"], one["Scope"]) for one in shown] == [("127.0.0.1", "host"), ("::1", "host")]

    assert "published ports lead nowhere" not in buoy.run("ps", "--exposure").stderr
    run("nft", "flush", "ruleset")
    for args in (("--exposure",), ("--format", "json")):
        assert "published ports lead nowhere" in buoy.run("ps", *args).stderr
    buoy.run("network", "repair")
    assert buoy.run("ps", "--exposure").stderr == ""

    again = "configuration changed: ports for others than this host, too"
    assert again in buoy.run("plan").stdout
    buoy.run("up", "-d")
    with lan.there():
        assert is_served(lan.host)
    buoy.run("down")


def test_the_file_can_say_it_and_every_verb_follows(lan: Lan, buoy: Buoy) -> None:
    text = PROJECT.replace('"8080:80"', '"8080-8085:80", "80"')
    buoy.write("compose.yaml", f"x-buoy: {{publish: loopback}}\n{text}")
    buoy.run("up", "-d")
    buoy.run("scale", "web=2")
    buoy.run("restart", "web")
    serving = ("web", "httpd", "-f", "-p", "80", "-h", "/etc")
    buoy.run("run", "-d", "-p", f"{lan.host}:9090:80", *serving)
    buoy.run("run", "-d", "--service-ports", *serving)
    shown = [json.loads(line) for line in buoy.run("ps", "-a", "--format", "json").lines]
    ports = [port for one in shown for port in one["Exposure"]]
    assert {port["URL"] for port in ports} == {"127.0.0.1", "::1"}
    numbers = {port["PublishedPort"] for port in ports if port["URL"] == "127.0.0.1"}
    assert {8080, 8081, 8082, 9090} < numbers
    assert len(numbers) == 8  # with one that was free for each of the three, and 5432
    for number in numbers - {5432}:
        assert is_served("127.0.0.1", number), number
    with lan.there():
        assert not any(fetched(lan.host, number) for number in numbers)
    buoy.run("down")


def test_a_network_that_takes_the_ports_says_so_when_it_is_connected(lan: Lan, buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "web")
    place = ("--subnet", "192.168.1.0/24", "--gateway", lan.machine, "-o", "parent=uplink")
    buoy.run("network", "create", "-d", "macvlan", *place, "office")
    said = "the ports of app-web-1 are not published: on network office (macvlan)"
    connect = ("network", "connect", "office", "app-web-1", "--gw-priority")
    assert buoy.run(*connect, "-1").stderr == ""
    assert buoy.run("port", "web", "80").lines == ["0.0.0.0:8080"]
    buoy.run("network", "disconnect", "office", "app-web-1")
    assert said in buoy.run(*connect, "1").stderr
    assert buoy.run("port", "web", "80", check=False).exit_code == 1
    buoy.run("down")
    buoy.run("network", "rm", "office")
