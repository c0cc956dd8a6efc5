"""How the services of a project find each other, the host and the world, through the command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

PROJECT = """
x-idle: &idle {image: busybox, command: sleep 1000, stop_grace_period: 0s}
services:
  asker:
    <<: *idle
    hostname: asker
    domainname: shop.example
    networks: [lan, closed]
    links: ["web:www", db]
    dns: 192.0.2.53
    dns_search: [a.example, b.example]
    dns_opt: [timeout:1, attempts:1]
    extra_hosts:
      - "colon:192.0.2.1"
      - "equals=192.0.2.2"
      - "six=[2001:db8::1]"
      - "me:host-gateway"
  web: {<<: *idle, scale: 2, networks: {lan: {aliases: [shop.example]}, closed: {}}}
  db: {<<: *idle, networks: [closed]}
  far: {<<: *idle, networks: [back]}
  mapped:
    <<: *idle
    networks: [lan]
    dns_search: .
    extra_hosts: {one: 192.0.2.3, two: [192.0.2.4, "2001:db8::4"], host.docker.internal: 192.0.2.5}
  restarting:
    image: busybox
    stop_grace_period: 0s
    command: [sh, -c, "cat /etc/hosts; echo 192.0.2.9 edited >>/etc/hosts; sleep 1000"]
    networks: [lan]
networks:
  lan: {ipam: {config: [{subnet: 10.123.45.0/24}]}}
  closed: {internal: true}
  back: {internal: true}
"""


def inside(buoy: Buoy, service: str, *argv: str) -> str:
    return buoy.run("exec", "-T", service, *argv).stdout


def found(buoy: Buoy, asker: str, name: str) -> list[str]:
    """What the DNS says: busybox's nslookup reads no hosts file. Who asks for what may be nobody
    must be on internal networks alone: it would be asked for outside."""
    done = buoy.run("exec", "-T", asker, "nslookup", "-type=a", f"{name}.", check=False)
    return sorted(set(re.findall(r"^Address:\s*([\d.]+)$", done.stdout, re.MULTILINE)))


def is_found(buoy: Buoy, asker: str, name: str, wanted: list[str]) -> bool:
    """Whether these are what the name means; who asks does not wait long for an answer."""
    return eventually(lambda: found(buoy, asker, name) == wanted)


def address(buoy: Buoy, service: str, number: int = 1) -> str:
    """Its address on `lan`, or on the one network that it is on."""
    shown = buoy.run("exec", "-T", "--index", str(number), service, "ip", "-4", "address").stdout
    found: list[str] = [one for one in re.findall(r"inet ([\d.]+)/", shown) if one != "127.0.0.1"]
    return next((one for one in found if one.startswith("10.123.45.")), found[0])


def test_names_of_a_project(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d")

    hosts = inside(buoy, "asker", "cat", "/etc/hosts").splitlines()
    gateway = "10.123.45.1"
    shown = ["192.0.2.1\tcolon", "192.0.2.2\tequals", "2001:db8::1\tsix", f"{gateway}\tme"]
    assert hosts[6:10] == shown
    assert [line.split("\t")[1] for line in hosts[10:]] == ["asker.shop.example asker"] * 2
    hosts = inside(buoy, "mapped", "cat", "/etc/hosts").splitlines()
    assert hosts[6:9] == ["192.0.2.3\tone", "192.0.2.4\ttwo", "2001:db8::4\ttwo"]

    resolver = inside(buoy, "asker", "cat", "/etc/resolv.conf").splitlines()
    assert resolver[:3] == [
        "nameserver 127.0.0.11",
        "search a.example b.example",
        "options timeout:1 attempts:1 ndots:0",
    ]
    assert "192.0.2.53" in resolver[3]
    assert "search" not in inside(buoy, "mapped", "cat", "/etc/resolv.conf")

    replicas = sorted([address(buoy, "web", 1), address(buoy, "web", 2)])
    for name in ("web", "www", "shop.example", "web.app_lan"):
        assert is_found(buoy, "asker", name, replicas), name
    assert is_found(buoy, "asker", "web-2", [address(buoy, "web", 2)])
    assert is_found(buoy, "asker", "db-1", [address(buoy, "db")])
    assert is_found(buoy, "asker", "host.docker.internal", [gateway])
    assert is_found(buoy, "web", "gateway.docker.internal", [gateway])
    assert is_found(buoy, "mapped", "host.docker.internal", ["192.0.2.5"])

    _pause_and_stop(buoy, replicas)
    _restart(buoy)
    _plug(buoy)
    buoy.run("down")


def _pause_and_stop(buoy: Buoy, replicas: list[str]) -> None:
    """A paused container keeps its names, a stopped one loses them."""
    buoy.run("pause", "web")
    assert is_found(buoy, "asker", "web", replicas)
    buoy.run("unpause", "web")
    buoy.run("up", "-d", "--scale", "web=1", "web")
    assert is_found(buoy, "asker", "web", [address(buoy, "web")])
    buoy.run("stop", "web")
    assert found(buoy, "db", "web") == []  # asks nobody outside: it is on `closed` alone
    buoy.run("start", "web")
    assert is_found(buoy, "asker", "web", [address(buoy, "web")])


def _restart(buoy: Buoy) -> None:
    """/etc/hosts is written at each start; an edited resolv.conf is the user's."""
    inside(buoy, "restarting", "sh", "-c", "echo nameserver 192.0.2.8 >/etc/resolv.conf")
    before = address(buoy, "restarting")
    buoy.run("restart", "restarting")
    assert is_found(buoy, "mapped", "restarting", [before])
    assert "edited" not in buoy.run("logs", "restarting").stdout
    assert inside(buoy, "restarting", "cat", "/etc/resolv.conf") == "nameserver 192.0.2.8\n"
    assert "edited" not in inside(buoy, "mapped", "cat", "/etc/hosts")


def _plug(buoy: Buoy) -> None:
    """Names of a network are known while a container is on it."""
    assert found(buoy, "db", "far") == []
    buoy.run("network", "connect", "--alias", "near", "app_back", "app-db-1")
    assert is_found(buoy, "db", "far", [address(buoy, "far")])
    assert eventually(lambda: found(buoy, "far", "near"))
    (there,) = found(buoy, "far", "near")
    assert f"{there}\t" in inside(buoy, "db", "cat", "/etc/hosts")
    buoy.run("network", "disconnect", "app_back", "app-db-1")
    assert found(buoy, "db", "far") == found(buoy, "far", "near") == []
    assert f"{there}\t" not in inside(buoy, "db", "cat", "/etc/hosts")


DYING = """
services:
  dying:
    image: busybox
    command: [sh, -c, "cat /etc/hosts; echo 192.0.2.9 edited >>/etc/hosts; exit 1"]
    restart: on-failure:2
    extra_hosts: ["one:192.0.2.1"]
"""


def test_the_hosts_file_is_written_anew_when_the_policy_restarts(buoy: Buoy) -> None:
    buoy.write("compose.yaml", DYING)
    buoy.run("up", "-d")
    said = ("logs", "--no-log-prefix", "dying")
    assert eventually(lambda: buoy.run(*said).stdout.count("192.0.2.1\tone\n") == 3)
    assert "edited" not in buoy.run(*said).stdout
    buoy.run("down")
