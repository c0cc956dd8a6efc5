"""Interfaces plugged into containers by hand, through the command."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.containers import plugging
from engine.containers.spec import PlugSpec
from engine.containers.statefile import lock_holder
from engine.errors import NetworkProblem
from engine.network.dhcp import programs
from tests.engine.network.world import run
from tests.marks import needs_program, needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import Engine
    from engine.state.paths import Roots
    from tests.scenarios.conftest import Buoy, Lan

pytestmark = [needs_root, pytest.mark.usefixtures("lan", "busybox")]

PROJECT = """
services:
  web:
    image: busybox
    command: [httpd, -f, -p, "80", -h, /etc]
    ports: ["8080:80"]
    restart: always
    stop_grace_period: 0s
  lone: {image: busybox, command: sleep 1000, network_mode: none, stop_grace_period: 0s}
  on_host: {image: busybox, command: sleep 1000, network_mode: host, stop_grace_period: 0s}
"""
FETCH = "wget -qO- http://{}/passwd || true"


@pytest.fixture
def up(buoy: Buoy) -> Buoy:
    """The project runs, as containers app-web-1 and app-lone-1."""
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d")
    return buoy


def inside(buoy: Buoy, service: str, *words: str) -> str:
    return buoy.run("exec", "-T", service, *words).stdout


def plug(buoy: Buoy, service: str, *options: str) -> str:
    return buoy.run("network", "plug", f"app-{service}-1", *options).stdout.strip()


def links() -> set[str]:
    return {link["ifname"] for link in json.loads(run("ip", "-j", "link"))}


def is_served(url: str) -> bool:
    return eventually(lambda: "root:" in run("sh", "-c", "timeout 9 " + FETCH.format(url)))


def test_containers_on_a_bridge_that_is_made_for_them(up: Buoy, lan: Lan) -> None:
    shown = plug(up, "lone", "--bridge", "wire", "--address", "10.9.0.2/24")
    assert shown == "eth0 10.9.0.2/24"
    address, address6 = "10.9.0.3/24@10.9.0.2", "fd09::3/64@fd09::2"
    shown = plug(up, "web", "--bridge", "wire", "--address", address, "--address", address6)
    assert shown == "eth1 10.9.0.3/24 fd09::3/64"
    assert "wire" in links()
    assert eventually(lambda: inside(up, "lone", "sh", "-c", FETCH.format("10.9.0.3")))
    assert "default via 10.9.0.2 dev eth1" in inside(up, "web", "ip", "route")
    with lan.there():  # answers leave by where the question came from
        assert is_served(f"{lan.host}:8080")

    seen = json.loads(up.run("ps", "--format", "json", "web").stdout)["Plugged"]
    assert [(one["Interface"], one["Device"], one["Addresses"]) for one in seen] == [
        ("eth1", "wire", ["10.9.0.3/24", "fd09::3/64"])
    ]
    assert "all ports: by wire (10.9.0.3, fd09::3)" in up.run("ps", "--exposure").stdout
    assert up.run("plan").stdout == "nothing to do\n"
    drawn = up.run("network", "graph").stdout
    assert re.search("host:wire +wire ", drawn)
    assert re.search("web-1 +10.9.0.3 fd09::3 +eth1 +8080→80 +also on app_default", drawn)

    (shown,) = json.loads(up.run("network", "inspect", "host:wire").stdout)
    found = {one["Name"]: (one["Interface"], one["Addresses"]) for one in shown["Plugged"]}
    assert found == {
        "app-lone-1": ("eth0", ["10.9.0.2/24"]),
        "app-web-1": ("eth1", ["10.9.0.3/24", "fd09::3/64"]),
    }
    run("ip", "link", "delete", "wire")
    assert "plug eth1: app-web-1: wire is gone: put right" in up.run("network", "repair").lines
    assert eventually(lambda: inside(up, "lone", "sh", "-c", FETCH.format("10.9.0.3")))

    up.run("restart", "web")
    assert "default via 10.9.0.2 dev eth1" in inside(up, "web", "ip", "route")
    up.run("network", "unplug", "app-web-1", "eth1")
    routes = inside(up, "web", "ip", "route")
    assert "default via 172." in routes
    assert "10.9.0" not in routes + inside(up, "web", "ip", "rule")
    with lan.there():
        assert is_served(f"{lan.host}:8080")
    assert "wire" in links()  # it has another port still
    up.run("rm", "-sf", "lone")
    assert "wire" not in links()


def test_a_link_on_a_parent_is_a_machine_on_the_lan(up: Buoy, lan: Lan) -> None:
    mac = "02:00:00:00:00:77"
    options = ("--parent", "uplink", "--address", "192.168.1.77/24", "--mac", mac)
    assert plug(up, "web", *options, "--name", "office") == "office 192.168.1.77/24"
    assert f"link/ether {mac}" in inside(up, "web", "ip", "link", "show", "office")
    with lan.there():
        assert is_served("192.168.1.77")
    web = up.run("ps", "-q", "web").stdout.strip()
    state = json.loads(Path(f"{up.roots.run_root}/containers/{web}/state.json").read_text())
    os.kill(state["pid"], signal.SIGKILL)  # the policy restarts it, in the same namespace
    with lan.there():
        assert is_served("192.168.1.77")
    up.run("up", "-d", "--force-recreate", "web")
    assert "office" not in inside(up, "web", "ip", "link")


def test_a_bridge_that_was_there_stays(up: Buoy) -> None:
    run("ip", "link", "add", "lab", "type", "bridge")
    up.run("stop", "lone")
    plug(up, "lone", "--bridge", "lab", "--address", "10.9.0.2/24", "--name", "lab0")
    up.run("start", "lone")
    assert "10.9.0.2" in inside(up, "lone", "ip", "address", "show", "lab0")
    up.run("network", "unplug", "app-lone-1")
    assert "lab0" not in inside(up, "lone", "ip", "link")
    assert "lab" in links()


ADDRESS = ("--address", "10.9.0.2/24")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("web", "--parent", "nobody", *ADDRESS), ("parent-missing", "no interface `nobody`")),
        (("web", "--parent", "uplink", "--vlan", "7", *ADDRESS), ("this kernel has no VLANs",)),
        (("web", "--parent", "uplink", "--ipvlan", *ADDRESS), ("this kernel has no ipvlan",)),
        (("web", "--bridge", "uplink", *ADDRESS), ("no-bridge", "--parent uplink")),
        (("web", "--bridge", "wire", "--name", "eth0", *ADDRESS), ("interface-taken",)),
        (("web", "--bridge", "é" * 9, *ADDRESS), (f"`{'é' * 9}` cannot be the name",)),
        (("web", "--bridge", "wire", "--name", "all", *ADDRESS), ("`all` cannot be the name",)),
        (("web", "--bridge", "wire", "--name", "a%d", *ADDRESS), ("`a%d` cannot be the name",)),
        (("web", "--bridge", "wire", "--mac", "00:00:00:00:00:00", *ADDRESS), ("is not a MAC",)),
        (("web", "--parent", "lo", *ADDRESS), ("nothing leads on from lo",)),
        (("web", "--bridge", "wire", "--address", "fe80::1%eth0/64"), ("is not an address with",)),
        (("on_host", "--bridge", "wire", *ADDRESS), ("network-mode",)),
        (
            ("web", "--bridge", "wire", "--vlan", "9", "--mac", "01:2", "--name", "a/b",
             "--address", "10.9.0.2", "--address", "10.9.0.3/24@10.8.0.1",
             "--address", "10.9.0.4/24@10.9.0.4", "--address", "224.0.0.9/24"),
            ("--vlan is for a --parent", "`01:2`", "`a/b`", "`10.9.0.2` has no prefix length",
             "the gateway 10.8.0.1 is not in 10.9.0.0/24", "10.9.0.4 cannot be its own gateway",
             "`224.0.0.9/24` cannot be the address"),
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name_and_leaves_nothing(
    buoy: Buoy, engine: Engine, words: tuple[str, ...], said: tuple[str, ...]
) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("create")
    service, *options = words
    done = buoy.run("network", "plug", f"app-{service}-1", *options, check=False)
    if "vlan" in str(said) and done.exit_code == 0:
        pytest.skip("this kernel has it")
    assert done.exit_code != 0
    assert [one for one in said if one not in done.stderr] == []
    assert "wire" not in links()
    assert engine.containers.get(f"app-{service}-1").plugged == ()


# --- DHCP

SETTINGS = """
start 192.168.1.50
end 192.168.1.59
interface eth0
lease_file {0}/leases
pidfile {0}/pid
option subnet 255.255.255.0
option router 192.168.1.9
option lease 10
min_lease 10
auto_time 1
"""


@pytest.fixture
def server(lan: Lan, tmp_path: Path) -> Iterator[Path]:
    """busybox' DHCP server on the other machine; the file that it writes its leases to."""
    settings = tmp_path / "udhcpd.conf"
    settings.write_text(SETTINGS.format(tmp_path))
    (tmp_path / "leases").touch()
    with lan.there():
        serving = subprocess.Popen(
            ["busybox", "udhcpd", "-f", "-a", "0", settings], stderr=subprocess.DEVNULL
        )
    yield tmp_path / "leases"
    serving.kill()
    serving.wait()


def clients(roots: Roots) -> list[int]:
    """DHCP clients of the containers: their scripts lie in the run directories."""
    pattern = f"(udhcpc -f|dhclient -4) .*{roots.run_root}/"
    return [int(line) for line in run("sh", "-c", f"pgrep -f '{pattern}' || true").splitlines()]


def has_lease(buoy: Buoy, service: str, interface: str) -> bool:
    routes = inside(buoy, service, "ip", "route")
    return f"default via 192.168.1.9 dev {interface}" in routes and "192.168.1.5" in routes


def test_a_lease_is_kept_for_the_life_of_the_container(
    up: Buoy, lan: Lan, server: Path, roots: Roots
) -> None:
    resolv = Path("/etc/resolv.conf").read_bytes()
    name, address = plug(up, "web", "--parent", "uplink", "--dhcp").split()
    assert name == "eth1"
    assert address.startswith("192.168.1.5")
    assert address.endswith("/24")
    assert eventually(lambda: has_lease(up, "web", "eth1"))
    with lan.there():
        assert is_served(address.partition("/")[0])
        assert is_served(f"{lan.host}:8080")
    given = server.read_bytes()
    assert eventually(lambda: server.read_bytes() != given)  # a renewal, after half of the time
    assert eventually(lambda: has_lease(up, "web", "eth1"))

    assert eventually(lambda: len(clients(roots)) == 1)  # without a script that it runs
    (client,) = clients(roots)
    os.kill(client, signal.SIGKILL)  # there is another one soon
    assert eventually(lambda: clients(roots) not in ([], [client]))
    assert eventually(lambda: has_lease(up, "web", "eth1"))

    up.run("stop", "web")
    assert clients(roots) == []
    up.run("start", "web")
    assert eventually(lambda: has_lease(up, "web", "eth1"))
    up.run("network", "unplug", "app-web-1")
    assert clients(roots) == []
    assert "default via 172." in inside(up, "web", "ip", "route")
    assert Path("/etc/resolv.conf").read_bytes() == resolv


def test_the_client_ends_with_a_monitor_that_is_killed(
    up: Buoy, server: Path, roots: Roots, engine: Engine
) -> None:
    plug(up, "lone", "--parent", "uplink", "--dhcp", "--name", "lan0")
    assert eventually(lambda: has_lease(up, "lone", "lan0"))
    lone = engine.containers.get("app-lone-1")
    monitor = lock_holder(roots.container_run(lone.id))
    assert monitor is not None
    os.kill(monitor, signal.SIGKILL)
    assert eventually(lambda: clients(roots) == [])


@needs_program("dhclient")
def test_dhclient_will_do_where_there_is_no_udhcpc(
    up: Buoy, server: Path, roots: Roots, tmp_path: Path
) -> None:
    only = tmp_path / "programs"
    only.mkdir()
    for name in ("dhclient", "sh"):
        (only / name).symlink_to(str(shutil.which(name)))
    words = ("network", "plug", "app-web-1", "--parent", "uplink", "--dhcp")
    up.run(*words, environment={"PATH": str(only)})
    assert eventually(lambda: has_lease(up, "web", "eth1"))
    assert eventually(lambda: len(clients(roots)) == 1)
    up.run("network", "unplug", "app-web-1")
    assert clients(roots) == []
    assert "default via 172." in inside(up, "web", "ip", "route")


def test_without_a_client_the_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NetworkProblem, match="needs a DHCP client") as caught:
        programs.find_client("/x", "web")
    assert "udhcpc" in str(caught.value.hint)


def test_without_a_server_nothing_is_left(
    up: Buoy, engine: Engine, roots: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugging, "LEASE_S", 0.5)
    wish = PlugSpec(interface="", bridge="wire", dhcp=True)
    with pytest.raises(NetworkProblem, match="no DHCP server answered on wire") as caught:
        asyncio.run(engine.containers.plug("app-web-1", wish))
    assert caught.value.code == "no-lease"
    assert "wire" not in links()
    assert clients(roots) == []
    assert "eth1" not in inside(up, "web", "ip", "link")
