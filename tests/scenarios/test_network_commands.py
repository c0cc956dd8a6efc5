"""`buoy network create`, `connect`, `disconnect`, `prune`, with containers that run meanwhile."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.waiting import LIMIT_S, eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

PROJECT = """
services:
  web:
    image: busybox
    command: [httpd, -f, -p, "[::]:80", -h, /etc]
    networks: [front]
    stop_grace_period: 0s
  peer:
    image: busybox
    command: sleep 1000
    networks: [back]
    stop_grace_period: 0s
networks:
  front:
  back: {internal: true}
"""

GUEST = """
services:
  peer:
    image: busybox
    command: sleep 1000
    networks: [app_front]
    stop_grace_period: 0s
networks:
  app_front: {external: true}
"""
PREDEFINED = ("bridge", "host", "none")


def fetches(buoy: Buoy, service: str, host: str) -> bool:
    fetch = ("timeout", "3", "wget", "-qO-", f"http://{host}/hostname")
    return buoy.run("exec", "-T", service, *fetch, check=False).exit_code == 0


def answers(host: str, port: str) -> bool:
    """Whether the server is reached by a published port."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/hostname", timeout=LIMIT_S) as answer:
            return bool(answer.read())
    except OSError:
        return False


def routes(buoy: Buoy, service: str) -> list[str]:
    return buoy.run("exec", "-T", service, "ip", "route").lines


def names(buoy: Buoy) -> set[str]:
    listed = buoy.run("network", "ls", "--format", "json").lines
    return {json.loads(line)["Name"] for line in listed}


def test_down_leaves_a_network_that_others_use(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d")
    buoy.write("guest.yaml", GUEST)
    guest = ("-p", "guest", "-f", "guest.yaml")
    buoy.run(*guest, "up", "-d")
    said = buoy.run("down").stderr
    assert "app_front  Resource is still in use" in said
    assert names(buoy) == {*PREDEFINED, "app_front"}
    buoy.run(*guest, "down")
    buoy.run("down")
    assert names(buoy) == {*PREDEFINED}


def test_a_running_container_comes_and_goes(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d")
    made = buoy.run("network", "create", "--subnet", "10.78.0.0/24", "--ipv6", "extra").lines
    assert len(made[0]) == 64
    assert not fetches(buoy, "peer", "web")

    for container in ("app-web-1", "app-peer-1"):
        alias = ("--alias", "shop") if "web" in container else ()
        buoy.run("network", "connect", *alias, "extra", container)
    assert eventually(lambda: fetches(buoy, "peer", "app-web-1"))
    assert eventually(lambda: fetches(buoy, "peer", "shop"))
    (network,) = json.loads(buoy.run("network", "inspect", "extra").stdout)
    names = {one["Name"]: one for one in network["Containers"].values()}
    assert set(names) == {"app-web-1", "app-peer-1"}
    address = names["app-web-1"]["IPv4Address"].partition("/")[0]
    assert f"{address}\t" in buoy.run("exec", "-T", "web", "cat", "/etc/hosts").stdout
    assert "eth1" in buoy.run("exec", "-T", "web", "ip", "link").stdout
    # of an internal network alone it had no way out; now it has one
    assert any(line.startswith("default") for line in routes(buoy, "peer"))
    assert buoy.run("plan").stdout == "nothing to do\n"

    buoy.run("network", "disconnect", "extra", "app-web-1")
    assert not fetches(buoy, "peer", "app-web-1")
    assert "eth1" not in buoy.run("exec", "-T", "web", "ip", "link").stdout
    assert f"{address}\t" not in buoy.run("exec", "-T", "web", "cat", "/etc/hosts").stdout
    buoy.run("network", "disconnect", "extra", "app-peer-1")
    assert not any(line.startswith("default") for line in routes(buoy, "peer"))

    buoy.run("down")
    refused = buoy.run("network", "prune", "-f", "--filter", "until=1h", check=False)
    assert "there is no filter `until`" in refused.stderr
    assert buoy.run("network", "prune", "-f", "--filter", "label=none").lines == []
    assert buoy.run("network", "prune", "-f").lines == ["Deleted Networks:", "extra"]


@pytest.mark.parametrize(
    ("keys", "code", "what"),
    [
        ('mac_address: "01:00:00:00:00:01"', "invalid-value", "is not the MAC address of one card"),
        (
            'networks: {default: {mac_address: "1"}}',
            "invalid-value",
            "app.networks.default.mac_address: `1` is not",
        ),
        ("networks: {default: {interface_name: a/b}}", "invalid-value", "`a/b` cannot be the name"),
        ('ports: ["192.0.2.7:99:9"]', "address-missing", "192.0.2.7 is no address of this host"),
    ],
)
def test_what_a_container_cannot_have(buoy: Buoy, keys: str, code: str, what: str) -> None:
    said = buoy.refused(keys)
    assert f"error: {code}\n" in said
    assert what in said
    assert "\nhint: " in said


def test_a_container_comes_to_the_default_network_and_to_no_other_of_these(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "web")
    for name in ("host", "none"):
        refused = buoy.run("network", "connect", name, "app-web-1", check=False).stderr
        assert f"app-web-1 has networks of its own: it cannot be on {name}" in refused
    buoy.run("network", "connect", "bridge", "app-web-1")
    (network,) = json.loads(buoy.run("network", "inspect", "bridge").stdout)
    (place,) = network["Containers"].values()
    assert place["IPv4Address"] in buoy.run("exec", "-T", "web", "ip", "address").stdout
    buoy.run("restart", "-t", "0", "web")
    assert "eth1" in buoy.run("exec", "-T", "web", "ip", "link").stdout
    buoy.run("network", "disconnect", "bridge", "app-web-1")
    assert "eth1" not in buoy.run("exec", "-T", "web", "ip", "link").stdout
    again = buoy.run("network", "disconnect", "bridge", "app-web-1", check=False).stderr
    assert "is not on network bridge" in again


def test_what_a_container_was_connected_to_it_has_after_a_restart(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d")
    buoy.run("network", "create", "extra")
    buoy.run("network", "connect", "extra", "app-web-1")
    buoy.run("restart", "-t", "0", "web")
    assert "eth1" in buoy.run("exec", "-T", "web", "ip", "link").stdout
    refused = buoy.run("network", "rm", "extra", check=False)
    assert "has active endpoints: app-web-1" in refused.stderr
    buoy.run("stop", "-t", "0", "web")
    buoy.run("network", "disconnect", "extra", "app-web-1")
    buoy.run("start", "web")
    assert "eth1" not in buoy.run("exec", "-T", "web", "ip", "link").stdout
    buoy.run("down")
    buoy.run("network", "rm", "extra")


def test_published_ports_follow_the_default_route(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml", PROJECT.replace("networks: [front]", 'networks: [front]\n    ports: ["80"]')
    )
    buoy.run("up", "-d")
    buoy.run("network", "create", "alpha")

    def reached() -> bool:
        port = buoy.run("port", "web", "80").stdout.split(":")[-1].strip()
        return answers("127.0.0.1", port)

    assert eventually(reached)
    buoy.run("network", "connect", "--gw-priority", "10", "alpha", "app-web-1")
    assert reached()
    buoy.run("network", "disconnect", "app_front", "app-web-1")
    assert reached()
    buoy.run("network", "disconnect", "alpha", "app-web-1")
    assert buoy.run("port", "web", "80", check=False).exit_code != 0
    buoy.run("network", "connect", "app_front", "app-web-1")
    assert reached()
    buoy.run("down")
    buoy.run("network", "rm", "alpha")


def test_a_published_port_stays_when_only_the_other_ip_version_is_left(buoy: Buoy) -> None:
    text = PROJECT.replace("networks: [front]", 'networks: [front]\n    ports: ["80"]')
    buoy.write("compose.yaml", text)
    buoy.run("up", "-d")
    at = buoy.run("port", "web", "80").stdout.split(":")[-1].strip()

    def reached() -> list[bool]:
        return [answers(host, at) for host in ("127.0.0.1", "[::1]")]

    assert eventually(lambda: reached() == [True, True])
    like_docker = ("--attachable", "--scope", "local", "--ipam-driver", "default")
    buoy.run("network", "create", "--ipv4=false", "--ipv6", *like_docker, "six")
    (six,) = json.loads(buoy.run("network", "inspect", "six").stdout)
    assert (six["Attachable"], six["EnableIPv4"], six["EnableIPv6"]) == (True, False, True)
    buoy.run("network", "connect", "six", "app-web-1")
    assert reached() == [True, True]
    buoy.run("network", "disconnect", "app_front", "app-web-1")  # now all of it is relayed
    assert reached() == [True, True]
    buoy.run("network", "connect", "app_front", "app-web-1")
    buoy.run("network", "disconnect", "six", "app-web-1")
    assert reached() == [True, True]
    assert buoy.run("port", "web", "80").stdout.split(":")[-1].strip() == at
    buoy.run("down")
    buoy.run("network", "rm", "six")


def test_what_cannot_be_is_said_and_changes_nothing(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d")
    buoy.run("network", "create", "--subnet", "10.79.0.0/24", "extra")
    for args, said in (
        (("connect", "nobody", "app-web-1"), "network nobody not found"),
        (("connect", "extra", "nobody"), "no such container: nobody"),
        (("connect", "app_front", "app-web-1"), "is on network app_front already"),
        (("connect", "--ip", "10.80.0.1", "extra", "app-web-1"), "is not an address of"),
        (("disconnect", "extra", "app-web-1"), "is not on network extra"),
        (("create", "--subnet", "10.79.0.0/24", "again"), "used by network extra"),
        (("create", "--gateway", "10.81.0.1", "again"), "is in none of its subnets"),
        (("create", ""), "cannot be the name of a network"),
        (("create", "a b"), "cannot be the name of a network"),
        (("create", "--ipv6", "--subnet", "fd00:79::%lo/64", "again"), "not a range of addresses"),
        (("create", "--aux-address", "nas", "again"), "needs a name and an address"),
        (("create", "-d", "macvlan", "-o", "parent=lo", "again"), "parent cannot be `lo`"),
        (("create", "-d", "macvlan", "-o", f"parent={'é' * 9}", "again"), "parent cannot be"),
        (("connect", "--link-local-ip", "fe80::1%eth0", "extra", "app-web-1"), "no link-local"),
    ):
        failed = buoy.run("network", *args, check=False)
        assert failed.exit_code != 0, args
        assert said in failed.stderr
    assert buoy.run("network", "disconnect", "-f", "extra", "app-web-1").exit_code == 0
    assert "eth1" not in buoy.run("exec", "-T", "web", "ip", "link").stdout
    assert len(buoy.run("network", "ls", "-q").lines) == 3 + len(PREDEFINED)
    buoy.run("down")
    buoy.run("network", "rm", "extra")


BRIDGED = """
services:
  db:
    image: busybox
    command: [httpd, -f, -p, "80", -h, /etc]
    network_mode: bridge
    stop_grace_period: 0s
  web:
    image: busybox
    command: sleep 1000
    network_mode: bridge
    links: ["db:database"]
    ports: ["80"]
    stop_grace_period: 0s
"""


def test_the_networks_that_are_always_there(buoy: Buoy) -> None:
    rows = [line.split()[1:3] for line in buoy.run("network", "ls").lines[1:]]
    assert rows == [["bridge", "bridge"], ["host", "host"], ["none", "null"]]
    for name in PREDEFINED:
        (shown,) = json.loads(buoy.run("network", "inspect", name).stdout)
        assert shown["Name"] == name
        for args in (("rm", name), ("create", name)):
            failed = buoy.run("network", *args, check=False)
            assert failed.exit_code != 0
            assert "is a pre-defined network" in failed.stderr


def test_on_the_default_network_containers_see_each_other_by_address_and_link(buoy: Buoy) -> None:
    buoy.write("compose.yaml", BRIDGED)
    buoy.run("up", "-d")
    (network,) = json.loads(buoy.run("network", "inspect", "bridge").stdout)
    db = next(one for one in network["Containers"].values() if one["Name"] == "app-db-1")
    address = db["IPv4Address"].partition("/")[0]
    assert eventually(lambda: fetches(buoy, "web", address))
    assert eventually(lambda: fetches(buoy, "web", "database"))
    hosts = buoy.run("exec", "-T", "web", "cat", "/etc/hosts").stdout
    assert f"{address}\tdatabase " in hosts
    assert "127.0.0.11" not in buoy.run("exec", "-T", "web", "cat", "/etc/resolv.conf").stdout
    assert buoy.run("port", "web", "80").stdout
    assert buoy.run("plan").stdout == "nothing to do\n"
    buoy.run("down")
    (network,) = json.loads(buoy.run("network", "inspect", "bridge").stdout)
    assert network["Containers"] == {}
    assert network["Observed"] is None


def test_a_link_on_the_default_network_must_run(buoy: Buoy) -> None:
    buoy.write("compose.yaml", BRIDGED)
    buoy.run("up", "-d", "db")
    buoy.run("create")
    buoy.run("stop", "db")
    failed = buoy.run("up", "-d", "--no-deps", "web", check=False)
    assert failed.exit_code != 0
    assert "link app-db-1 does not run" in failed.stderr
    buoy.run("down")


def test_a_connection_that_fails_halfway_leaves_nothing(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d")
    buoy.run("network", "create", "--subnet", "10.82.0.0/24", "extra")
    before = routes(buoy, "web")
    wrong = "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.nosuch=1"
    failed = buoy.run(
        "network", "connect", "--driver-opt", wrong, "extra", "app-web-1", check=False
    )
    assert failed.exit_code != 0
    assert "/proc/sys/net/ipv4/conf/eth1/nosuch" in failed.stderr
    assert "eth1" not in buoy.run("exec", "-T", "web", "ip", "link").stdout
    assert routes(buoy, "web") == before
    buoy.run("network", "connect", "extra", "app-web-1")
    assert "eth1" in buoy.run("exec", "-T", "web", "ip", "link").stdout
    buoy.run("down")
    buoy.run("network", "rm", "extra")


def test_more_networks_than_docker_has_room_for(buoy: Buoy) -> None:
    names = [f"n{number}" for number in range(35)]
    project = {
        "services": {"app": {"image": "busybox", "command": "sleep 1000", "networks": names}},
        "networks": dict.fromkeys(names),
    }
    buoy.write("compose.yaml", json.dumps(project))
    buoy.run("up", "-d")
    addresses = buoy.run("exec", "-T", "app", "ip", "-o", "-4", "address").lines
    assert len(addresses) == len(names) + 1
    assert buoy.run("plan").stdout == "nothing to do\n"
    assert "an echo came back" in buoy.run("network", "trace", "app", "app").stdout
    buoy.run("down", "-t", "0")


LONE = """
services:
  web: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
  lone: {image: busybox, command: sleep 1000, stop_grace_period: 0s, network_mode: bridge}
"""


def test_who_comes_from_the_default_network_finds_others_by_name(buoy: Buoy) -> None:
    buoy.write("compose.yaml", LONE)
    buoy.run("up", "-d")
    finds = ("exec", "-T", "lone", "timeout", "5", "nslookup", "web")
    shown = ("exec", "-T", "lone", "cat", "/etc/resolv.conf")
    assert "127.0.0.11" not in buoy.run(*shown).stdout
    buoy.run("network", "connect", "app_default", "app-lone-1")
    assert "nameserver 127.0.0.11" in buoy.run(*shown).stdout
    assert eventually(lambda: buoy.run(*finds, check=False).exit_code == 0)
    buoy.run("network", "disconnect", "app_default", "app-lone-1")
    assert "127.0.0.11" not in buoy.run(*shown).stdout
