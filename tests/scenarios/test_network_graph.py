"""`buoy network graph`, on a host of the test's own."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.network.world import private_host, run
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

SLEEPS = "{image: busybox, command: sleep 1000, stop_grace_period: 0s, "
PROJECT = f"""
services:
  web: {SLEEPS} networks: [front], ports: ["8080:80", "127.0.0.1:9090:80"]}}
  proxy: {SLEEPS} networks: [front, back]}}
  db: {SLEEPS} networks: [back]}}
  side: {SLEEPS} network_mode: "service:db"}}
  agent: {SLEEPS} network_mode: host}}
  lone: {SLEEPS} network_mode: none}}
  apart: {SLEEPS} networks: [apart], deploy: {{replicas: 2}}}}
networks:
  front:
    enable_ipv6: true
    ipam: {{config: [{{subnet: 10.1.0.0/24}}, {{subnet: "fd00:1::/64"}}]}}
  back: {{internal: true, ipam: {{config: [{{subnet: 10.2.0.0/24}}]}}}}
  apart:
    ipam: {{config: [{{subnet: 10.3.0.0/24}}]}}
    driver_opts: {{com.docker.network.bridge.enable_icc: "false"}}
"""
OTHER = f"""
services:
  guest: {SLEEPS} networks: [front]}}
  alien: {SLEEPS} networks: [own]}}
networks:
  front: {{external: true, name: app_front}}
  own: {{ipam: {{config: [{{subnet: 10.4.0.0/24}}]}}}}
"""


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    with private_host():
        run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far")
        run("ip", "address", "add", "203.0.113.1/24", "dev", "uplink")
        run("ip", "link", "set", "uplink", "up")
        yield


def tree(buoy: Buoy, *options: str) -> list[str]:
    """The lines of the tree, without what differs each time: ids, links, who has which address."""
    text = buoy.run("network", "graph", *options).stdout.partition("\n\n")[0]
    text = re.sub(r"veth[0-9a-f]{7}", "veth", re.sub(r"br-[0-9a-f]{12}", "br", text))
    text = re.sub(r"(10\.\d\.0\.|fd00:1::)[2-9]", r"\1x", text)
    return [re.sub(r" +", " ", line) for line in text.splitlines()]


def matrix(buoy: Buoy, *options: str) -> dict[str, dict[str, str]]:
    """Who reaches whom: source -> target -> cell."""
    table = buoy.run("network", "graph", *options).stdout.split("\n\n")[1].splitlines()[1:]
    places = [(found.group(), *found.span()) for found in re.finditer(r"\S+", table[0])]
    return {
        line.split()[0]: {name: line[a:b].strip() for name, a, b in places} for line in table[1:]
    }


def facts(buoy: Buoy) -> Any:
    return json.loads(buoy.run("network", "graph", "--host", "--format", "json").stdout)


def test_a_project_and_the_host_are_drawn(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.write("other.yaml", OTHER)
    buoy.run("up", "-d")
    buoy.run("-p", "other", "-f", "other.yaml", "up", "-d")
    buoy.run("stop", "-t", "0", "apart")

    own = tree(buoy)
    assert own[:2] == ["outside", "│ 8080→80 web-1"]
    assert own[2].endswith(" uplink 203.0.113.1")
    assert own[3:7] == [
        "├─ app_apart br 10.3.0.1/24 (its containers are kept apart)",
        "│ ├─ apart-1 (exited)",
        "│ └─ apart-2 (exited)",
        "├─ app_back br 10.2.0.1/24 (internal: no way in or out)",
    ]
    assert "│ │ └─ side-1 (in the same namespace)" in own
    assert "│ ├─ web-1 10.1.0.x fd00:1::x eth0═veth 8080→80 127.0.0.1:9090→80" in own
    assert any(line.startswith("│ └─ other-guest-1 10.1.0.x ") for line in own)
    assert not any("alien" in line for line in own)
    assert own[-2:] == ["├─ agent-1 (in the host's own namespace)", "└─ lone-1 (on no network)"]
    assert any("other-alien-1 10.4.0.x " in line for line in tree(buoy, "--host"))

    reached = matrix(buoy)
    assert reached["proxy-1"] == {
        "db-1": "●",
        "lone-1": "·",
        "other-guest-1": "●",
        "proxy-1": "\\",
        "web-1": "●",
        "host": "●",
        "outside": "●",
    }
    assert reached["db-1"]["outside"] == reached["db-1"]["web-1"] == "·"
    assert reached["outside"]["web-1"] == "8080"
    assert reached["outside"]["proxy-1"] == "·"
    assert set(reached["lone-1"].values()) == {"·", "\\"}

    for form, begins in (("mermaid", "flowchart"), ("dot", 'digraph "app"'), ("svg", "<svg")):
        buoy.run("network", "graph", "--format", form, "-o", "drawing")
        drawing = (buoy.directory / "drawing").read_text()
        assert drawing.startswith(begins)
        assert "8080→80" in drawing
        assert "10.2.0.1" in drawing
    assert ET.fromstring(drawing).tag.endswith("svg")
    buoy.run("-p", "other", "-f", "other.yaml", "down")


def test_what_the_kernel_has_lost_is_drawn_as_missing(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "web", "db", "proxy")
    networks = {network["name"]: network for network in facts(buoy)["networks"]}
    containers = {one["name"]: one for one in facts(buoy)["containers"]}

    run("ip", "link", "delete", containers["app-db-1"]["endpoints"][0]["link"])
    run("ip", "link", "delete", networks["app_front"]["device"])
    run("nft", "delete", "table", "ip", buoy.roots.kernel_name)
    drawn = tree(buoy)
    assert "│ 8080→80 (missing in the firewall) web-1" in drawn
    assert "│ ├─ db-1 10.2.0.x eth0═veth (missing)" in drawn
    assert "└─ app_front br (missing) 10.1.0.0/24 fd00:1::/64 (missing in the firewall)" in drawn
    assert any("web-1" in one and "(not plugged into the bridge)" in one for one in drawn)
    assert matrix(buoy)["proxy-1"] == {
        "db-1": "·",
        "proxy-1": "\\",
        "web-1": "·",
        "host": "●",
        "outside": "·",
    }
    assert buoy.run("network", "graph").lines[-1].startswith("`buoy network repair` puts right")
    buoy.run("network", "repair")
    assert not any("missing" in line for line in buoy.run("network", "graph").lines)
    assert matrix(buoy)["proxy-1"]["web-1"] == "●"
