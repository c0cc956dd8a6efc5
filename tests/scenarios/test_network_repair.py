"""What was changed or taken away of networks: `plan` says so, `up` and `network repair` put it
right. On a host of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.state.paths import Roots
from tests.engine.network.dns.resolver import Upstream
from tests.engine.network.world import DROPPED_S, PATIENCE_S, private_host, run
from tests.marks import needs_program, needs_root
from tests.scenarios.conftest import COMMAND
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, needs_program("nft"), pytest.mark.usefixtures("busybox")]

PROJECT = """
services:
  web:
    image: busybox
    command: [httpd, -f, -p, "80", -h, /etc]
    ports: ["8080:80"]
    stop_grace_period: 0s
  peer:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
"""


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    """Comes before all others, and so is there for all that they make."""
    with private_host():
        yield


class Place:
    """The network of a project that is up."""

    def __init__(self, buoy: Buoy) -> None:
        self.buoy = buoy
        (self.shown,) = json.loads(buoy.run("network", "inspect", "app_default").stdout)
        self.bridge: str = self.shown["Observed"]["Bridge"]
        self.container = next(iter(self.of("web")))

    def of(self, service: str) -> dict[str, Any]:
        """Containers of a service, with their places on the network."""
        there = self.shown["Containers"]
        return {key: one for key, one in there.items() if one["Name"] == f"app-{service}-1"}

    def inside(self, *argv: str) -> str:
        """A program of the host in the namespace of `web`."""
        path = Path(self.buoy.roots.container_run(self.container)) / "state.json"
        pid = json.loads(path.read_text())["pid"]
        return run("nsenter", "--net", "--target", str(pid), *argv)

    def works(self) -> bool:
        """From the host by the published port, and from a container by name."""
        if not self._answers(PATIENCE_S):
            return False
        named = ["timeout", "9", "wget", "-qO-", "http://web/hostname"]
        return self.buoy.run("exec", "-T", "peer", *named, check=False).exit_code == 0

    def fails(self) -> bool:
        """Whether nothing comes from the published port any more."""
        return not self._answers(DROPPED_S)

    @staticmethod
    def _answers(patience_s: float) -> bool:
        try:
            urllib.request.urlopen("http://127.0.0.1:8080/hostname", timeout=patience_s).close()
        except OSError:
            return False
        return True


@pytest.fixture
def place(buoy: Buoy) -> Place:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d")
    found = Place(buoy)
    assert eventually(found.works)
    return found


def test_what_is_seen_from_the_host_is_planned_and_put_right_by_up(place: Place) -> None:
    buoy, table = place.buoy, place.buoy.roots.kernel_name
    container = buoy.run("ps", "-q").stdout
    veth = next(iter(place.of("web").values()))["EndpointID"]
    for fault, told in (
        (["ip", "link", "delete", place.bridge], f"bridge {place.bridge} is gone"),
        (["nft", "flush", "ruleset"], f"nftables table `ip {table}` is gone"),
        (["ip", "link", "delete", veth], f"app-web-1: link {veth} is gone"),
    ):
        run(*fault)
        assert place.fails()
        restore = f"#1 restore network app_default: {told}\n"
        assert buoy.run("plan").stdout == restore
        assert f"Network app_default  Restored ({told})" in buoy.run("up", "-d").stderr
        assert eventually(place.works)
        assert buoy.run("plan").stdout == "nothing to do\n"
    assert buoy.run("ps", "-q").stdout == container


def test_repair_tells_and_puts_right_what_is_wrong_at_the_host_and_inside(place: Place) -> None:
    buoy = place.buoy
    assert buoy.run("network", "repair").stdout == ""
    run("ip", "address", "flush", "dev", place.bridge)
    place.inside("ip", "route", "delete", "default")
    place.inside("nft", "flush", "ruleset")
    told = [
        f"app_default: bridge {place.bridge} has no 172.18.0.1/16 any more",
        "app_default: app-web-1: its default route by 172.18.0.1 is gone",
        "app_default: app-web-1: its name server is cut off",
    ]
    shown = buoy.run("network", "repair", "--dry-run").lines
    assert shown == [f"{line} (would be put right)" for line in told]
    assert buoy.run("network", "repair", "app_default").lines == [
        f"{line}: put right" for line in told
    ]
    assert eventually(place.works)

    for fault, what in (
        (["ip", "link", "delete", "eth0"], "link"),
        (["ip", "link", "set", "eth0", "down"], "eth0 is down"),
        (["ip", "address", "flush", "dev", "eth0"], "eth0 has no 172.18.0.3/16 any more"),
    ):
        place.inside(*fault)
        assert place.fails()
        assert what in buoy.run("network", "repair").stdout
        assert eventually(place.works)
        assert buoy.run("network", "repair").stdout == ""
    assert buoy.run("exec", "-T", "web", "nslookup", "peer").exit_code == 0


def test_names_that_were_deleted_are_written_again(place: Place) -> None:
    buoy = place.buoy
    (names,) = Path(buoy.roots.run_root).glob("networks/*/names")
    names.unlink()
    assert not place.works()
    assert buoy.run("network", "repair").lines == [
        f"app_default: app-{service}-1: it is not found by its names any more: put right"
        for service in ("peer", "web")
    ]
    assert eventually(place.works)


def test_what_a_killed_monitor_and_strangers_left_is_cleaned_away(place: Place) -> None:
    buoy, table = place.buoy, place.buoy.roots.kernel_name
    path = Path(buoy.roots.container_run(place.container)) / "state.json"
    os.kill(json.loads(path.read_text())["monitor"], signal.SIGKILL)
    assert eventually(lambda: "app-web-1" not in buoy.run("ps").stdout)
    run("nft", "add", "element", "ip", table, "bridges", "{ br-nobody }")
    run("nft", "add", "element", "ip", table, "subnets", "{ 10.0.0.0/8 }")
    assert buoy.run("network", "repair").lines == [
        "app_default: app-web-1 is named, and has ended: put right",
        *(
            f"set `{name}` of nftables table `ip {table}` has elements of no network: put right"
            for name in ("bridges", "subnets")
        ),
        "the firewall leads tcp/0.0.0.0:8080->80 to a container that has ended: put right",
    ]
    assert "br-nobody" not in run("nft", "list", "table", "ip", table)
    buoy.run("up", "-d")
    assert eventually(place.works)


EXTERNAL = """
services:
  web: {image: busybox, command: sleep 1000, networks: [mine]}
networks:
  mine: {external: true}
"""


def test_what_cannot_be_put_right_is_told_with_what_helps(buoy: Buoy) -> None:
    name = ("-o", "com.docker.network.bridge.name=br0")
    buoy.run("network", "create", *name, "mine")
    run("ip", "link", "delete", "br0")
    run("ip", "link", "add", "br0", "type", "bridge")
    failed = buoy.run("network", "repair", check=False)
    assert (failed.exit_code, failed.lines) == (
        1,
        [
            "mine: there is a device br0 already, which is not its bridge: still so",
            "  hint: see `ip -details link show br0`",
        ],
    )
    buoy.write("compose.yaml", EXTERNAL)
    failed = buoy.run("up", "-d", check=False)
    assert failed.exit_code == 1
    assert "device-exists" in failed.stderr
    buoy.run("down")
    run("ip", "link", "delete", "br0")
    assert buoy.run("network", "repair", "mine").lines == ["mine: bridge br0 is gone: put right"]
    assert "network nobody not found" in buoy.run("network", "repair", "nobody", check=False).stderr


def test_a_command_that_changes_anything_puts_a_lost_table_back(place: Place) -> None:
    run("nft", "flush", "ruleset")
    place.buoy.run("stop", "peer")
    assert "8080" in run("nft", "list", "table", "ip", place.buoy.roots.kernel_name)


def test_a_route_in_the_way_is_told_and_another_subnet_is_chosen(place: Place) -> None:
    buoy = place.buoy
    run("ip", "link", "add", "vpn", "type", "bridge")
    run("ip", "link", "set", "vpn", "up")
    run("ip", "route", "add", "172.18.0.0/24", "dev", "vpn")
    told = "172.18.0.0/24 of its subnet is led to vpn by a route of the host: app-"
    for command in (["plan"], ["up", "-d"]):
        done = buoy.run(*command)
        assert f"network app_default: {told}" in done.stderr
        assert "`buoy down` and `buoy up`" in done.stderr
        assert "restore" not in done.stdout
    failed = buoy.run("network", "repair", check=False)
    assert failed.exit_code == 1
    assert told in failed.lines[0]
    buoy.run("down")
    assert "vpn" not in buoy.run("up", "-d").stderr
    (shown,) = json.loads(buoy.run("network", "inspect", "app_default").stdout)
    assert shown["IPAM"]["Config"][0]["Subnet"] == "172.19.0.0/16"
    assert eventually(place.works)


def test_what_a_deleted_root_has_left_is_taken_away(buoy: Buoy, tmp_path: Path) -> None:
    gone = Roots(str(tmp_path / "gone"))
    ours = {"BUOY_ROOT": gone.root, "BUOY_RUN_ROOT": f"{gone.root}/run"}
    buoy.run("network", "create", "--ipv6", "left", environment=ours)
    (shown,) = json.loads(buoy.run("network", "inspect", "left", environment=ours).stdout)
    bridge = shown["Observed"]["Bridge"]
    assert shown["Faults"] == []
    buoy.run("network", "create", "mine")
    assert buoy.run("network", "repair").stdout == ""
    shutil.rmtree(gone.root)
    assert set(buoy.run("network", "repair").lines) == {
        f"{what} is of {gone.root}, which is gone: put right"
        for what in (
            f"nftables table `ip {gone.kernel_name}`",
            f"nftables table `ip6 {gone.kernel_name}`",
            f"bridge {bridge}",
        )
    }
    assert bridge not in run("ip", "link")
    assert gone.kernel_name not in run("nft", "list", "ruleset")


MACVLAN = """
services:
  web:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    networks: [lan]
networks:
  lan: {driver: macvlan, driver_opts: {parent: lan0}, ipam: {config: [{subnet: 10.77.0.0/24}]}}
"""


def test_links_on_a_parent_that_was_deleted_come_back_with_it(buoy: Buoy) -> None:
    parent = ("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    run(*parent)
    buoy.write("compose.yaml", MACVLAN)
    buoy.run("up", "-d")
    address = ("exec", "-T", "web", "ip", "-o", "address", "show", "dev", "eth0")
    assert "10.77.0.2/24" in buoy.run(*address).stdout
    run("ip", "link", "delete", "lan0")
    failed = buoy.run("network", "repair", check=False)
    assert failed.exit_code == 1
    assert "app_lan: parent lan0 is gone: still so" in failed.lines
    assert (
        "app_lan: app-web-1: it has no eth0 any more: still so: "
        "network app_lan: its device lan0 is not there"
    ) in failed.lines
    run(*parent)
    assert "app_lan: app-web-1: it has no eth0 any more: put right" in (
        buoy.run("network", "repair").lines
    )
    assert "10.77.0.2/24" in buoy.run(*address).stdout
    buoy.run("down")
    run("ip", "link", "delete", "lan0")


def test_running_containers_follow_the_hosts_resolv_conf(buoy: Buoy, tmp_path: Path) -> None:
    buoy.write("compose.yaml", PROJECT)
    with _files_of_its_own() as aside:
        for number in (61, 62):
            servers = tmp_path / f"resolv{number}"
            servers.write_text(f"nameserver 127.0.0.{number}\n")
            run(*aside, "mount", "--bind", str(servers), "/etc/resolv.conf")
            up = [*aside, str(COMMAND), "--project-directory", str(buoy.directory), "up", "-d"]
            subprocess.run(up, env=buoy.environment, check=True, capture_output=True)
            with Upstream(f"127.0.0.{number}") as upstream:
                asking = ("exec", "-T", "web", "timeout", "9", "nslookup")
                buoy.run(*asking, f"name{number}.example", check=False)
                assert eventually(lambda: f"name{number}.example" in upstream.names)  # noqa: B023


@contextlib.contextmanager
def _files_of_its_own() -> Iterator[list[str]]:
    """What to begin a command with that is to see another /etc/resolv.conf."""
    with subprocess.Popen(["unshare", "-m", "sleep", "1000"]) as holder:
        try:
            theirs, ours = Path(f"/proc/{holder.pid}/ns/mnt"), Path("/proc/self/ns/mnt")
            assert eventually(lambda: theirs.readlink() != ours.readlink())
            yield ["nsenter", "--mount", "--target", str(holder.pid)]
        finally:
            holder.kill()
