"""The examples of a course on container networking, driven as its slides do."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.kernel.namespaces import socket_in
from tests.marks import needs_root
from tests.scenarios.conftest import Buoy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import Engine
    from engine.state.paths import Roots

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

SERVE = '["httpd", "-f", "-p", "80", "-h", "/etc"]'
APP = f"""
services:
  web:
    image: busybox
    command: {SERVE}
    ports: ["127.0.0.1::80"]
    stop_grace_period: 0s
  db:
    image: busybox
    command: {SERVE}
    stop_grace_period: 0s
"""
FRONT_AND_BACK = f"""
services:
  proxy:
    image: busybox
    command: {SERVE}
    networks: [front]
    stop_grace_period: 0s
  app:
    image: busybox
    command: {SERVE}
    networks: [front, back]
    stop_grace_period: 0s
  db:
    image: busybox
    command: {SERVE}
    networks: [back]
    stop_grace_period: 0s
networks:
  front:
    driver: custom-driver-1
  back:
    driver: custom-driver-2
    driver_opts:
      foo: "1"
      bar: "2"
"""
DRIVER = '''
"""A bridge with options of its own."""

from engine.network.drivers.bridge import *


def validate(spec):
    from engine.network.drivers import bridge

    options = {key: value for key, value in spec.options.items() if key not in ("foo", "bar")}
    bridge.validate(spec.replace(options=options))
'''
RUNNING = """
services:
  c1: {image: busybox, container_name: c1, command: sleep 1000, networks: [mynet]}
  c2: {image: busybox, container_name: c2, command: sleep 1000, networks: [mynet]}
  c3: {image: busybox, container_name: c3, command: sleep 1000, networks: [mynet2]}
networks:
  mynet: {external: true}
  mynet2: {external: true}
"""


RANGE = """
services:
  app:
    image: busybox
    command: sleep 1000
    ports: ["127.0.0.1:10000-10002:20000-20002/UDP"]
    stop_grace_period: 0s
"""


def asks(buoy: Buoy, service: str, name: str) -> bool:
    """Whether a service gets a page from another, by its name, once that listens."""
    page = f"until wget -qO- http://{name}/passwd; do sleep 0.1; done"
    return "root:" in buoy.run("exec", "-T", service, "sh", "-c", page).stdout


def networks(buoy: Buoy) -> set[str]:
    """The names of all that there are."""
    return {
        json.loads(line)["Name"] for line in buoy.run("network", "ls", "--format", "json").lines
    }


def finds(buoy: Buoy, service: str, name: str, *, patience_s: int = 60) -> bool:
    """Whether a name means something there, and its address answers."""
    asked = ("ping", "-c", "1", "-W", str(patience_s), name)
    return buoy.run("exec", "-T", service, *asked, check=False).exit_code == 0


@pytest.fixture
def other(buoy: Buoy, roots: Roots) -> Iterator[Buoy]:
    """A second application on the same host, in a directory of another name."""
    directory = buoy.directory.with_name("myapp")
    directory.mkdir()
    other = Buoy(directory, roots)
    yield other
    other.run("down", "-t", "0")


def test_an_application_has_a_network_of_its_own(buoy: Buoy, other: Buoy) -> None:
    for each in (buoy, other):
        each.write("docker-compose.yml", APP)
        each.run("up", "-d")
    assert {"app_default", "myapp_default", "bridge", "host", "none"} <= networks(other)
    assert asks(other, "web", "db")
    there = buoy.run("exec", "-T", "db", "hostname", "-i").stdout.strip()
    assert not finds(other, "web", there, patience_s=2)  # applications do not reach each other
    other.run("--project-name", "renamed", "up", "-d")
    assert "renamed_default" in networks(other)
    other.run("--project-name", "renamed", "down", "-t", "0")
    buoy.run("down", "-t", "0")


def test_a_proxy_an_application_and_a_database_on_networks_of_custom_drivers(
    buoy: Buoy, tmp_path: Path
) -> None:
    _install_drivers(tmp_path / "packages")
    buoy.environment["PYTHONPATH"] = str(tmp_path / "packages")
    buoy.write("compose.yaml", FRONT_AND_BACK)
    buoy.run("up", "-d")
    shown = json.loads(buoy.run("network", "inspect", "app_back").stdout)[0]
    assert (shown["Driver"], shown["Options"]) == ("custom-driver-2", {"foo": "1", "bar": "2"})
    assert asks(buoy, "proxy", "app")
    assert asks(buoy, "app", "db")
    assert not finds(buoy, "proxy", "db", patience_s=2)
    assert buoy.run("plan").stdout == "nothing to do\n"
    buoy.run("down")


def test_containers_on_networks_that_others_have_made(buoy: Buoy) -> None:
    buoy.write("compose.yaml", RUNNING)
    missing = buoy.run("up", "-d", check=False)
    assert "mynet" in missing.stderr
    for name in ("mynet", "mynet2"):
        buoy.run("network", "create", "--driver=bridge", name)
    buoy.run("up", "-d")
    assert finds(buoy, "c1", "c2")
    assert not finds(buoy, "c2", "c3", patience_s=2)
    buoy.run("network", "connect", "mynet2", "c2")
    assert finds(buoy, "c2", "c3")
    assert finds(buoy, "c3", "c2")
    assert not finds(buoy, "c1", "c3", patience_s=2)
    inside = json.loads(buoy.run("network", "inspect", "mynet2").stdout)[0]["Containers"]
    assert {one["Name"] for one in inside.values()} == {"c2", "c3"}
    buoy.run("down", "-t", "0")
    assert {"mynet", "mynet2"} <= networks(buoy)
    buoy.run("network", "rm", "mynet", "mynet2")


def test_a_range_of_datagram_ports(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", RANGE)
    buoy.run("up", "-d")
    assert "127.0.0.1:10000-10002->20000-20002/udp" in buoy.run("ps").stdout
    with (
        Path(f"/proc/{engine.containers.list()[0].pid}/ns/net").open() as namespace,
        socket_in(namespace.fileno(), socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(("", 20001))
        for one in (server, client):
            one.settimeout(60)
        client.connect(("127.0.0.1", 10001))
        client.send(b"hello")
        text, sender = server.recvfrom(100)
        server.sendto(text + b" to you", sender)
        assert client.recv(100) == b"hello to you"


def _install_drivers(directory: Path) -> None:
    directory.mkdir()
    (directory / "custom_drivers.py").write_text(DRIVER)
    metadata = directory / "custom_drivers-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: custom-drivers\nVersion: 1\n")
    names = "".join(f"custom-driver-{number} = custom_drivers\n" for number in (1, 2))
    (metadata / "entry_points.txt").write_text("[buoy.network_drivers]\n" + names)
