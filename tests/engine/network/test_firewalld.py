"""Beside firewalld, the real one, on a bus of its own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine.network import bus as system_bus
from engine.network.bus import Bus
from tests.engine.network.test_coexistence import everything_works
from tests.engine.network.world import NEIGHBOUR, blocked, reached, run
from tests.marks import needs_program, needs_root
from tests.waiting import LIMIT_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.network.world import World

pytestmark = [needs_root, needs_program("nft")]

COMMAND = "firewall-cmd"
BUS = """<busconfig>
  <listen>unix:path={}</listen>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_type="*"/> <allow receive_type="*"/>
    <allow send_destination="*"/>
  </policy>
</busconfig>
"""


@pytest.fixture
def bus(host: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A system bus of the test's own."""
    path = tmp_path / "bus"
    (tmp_path / "bus.conf").write_text(BUS.format(path))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={path}")
    monkeypatch.setattr(system_bus, "_PAUSE_S", 0.0)  # firewalld may take long to start
    monkeypatch.setattr(system_bus, "_TIMEOUT_S", LIMIT_S)
    config = f"--config-file={tmp_path}/bus.conf"
    with _serving("dbus-daemon", config, "--nofork", "--nopidfile"):
        assert eventually(_takes_clients)
        yield


@pytest.fixture
def firewalld(bus: None) -> Iterator[None]:
    """firewalld in the test's network namespace, with files of its own."""
    asides = [f"mount -t tmpfs none {place}" for place in ("/etc/firewalld", "/run", "/var/log")]
    script = " && ".join([*asides, "exec firewalld --nofork"])
    with _serving("unshare", "-m", "sh", "-c", script):
        assert eventually(_answers)
        yield


@contextlib.contextmanager
def _serving(*command: str) -> Iterator[None]:
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as started:
        try:
            yield
        finally:
            started.terminate()


def _takes_clients() -> bool:
    try:
        with Bus():
            return True
    except OSError:
        return False


def _answers() -> bool:
    name = "org.fedoraproject.FirewallD1"
    try:
        with Bus() as bus:
            zone = bus.call(name, "/org/fedoraproject/FirewallD1", name, "getDefaultZone")
    except OSError:
        return False
    return zone == "public" and "filter_FORWARD" in run("nft", "list", "ruleset")


def test_a_bus_that_is_silent_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(system_bus, "_TIMEOUT_S", 0.1)
    monkeypatch.setattr(Bus, "_silent_until_s", 0.0)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/bus")
        silent.listen()
        for _ in range(2):
            with pytest.raises(TimeoutError):
                Bus()
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # there was no second client
            silent.accept()


@needs_program("dbus-daemon")
def test_what_a_call_over_the_bus_returns(bus: None) -> None:
    daemon = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
    with Bus() as client:
        assert client.call(*daemon, "NameHasOwner", "org.freedesktop.DBus") == 1
        assert client.call(*daemon, "NameHasOwner", "org.example") == 0
        assert client.call(*daemon, "GetNameOwner", "org.freedesktop.DBus") == daemon[0]
        with pytest.raises(OSError, match=r"GetNameOwner: .*org.example"):
            client.call(*daemon, "GetNameOwner", "org.example")
        assert client.call(*daemon, "ListNames") == ""  # no value that is understood


@pytest.mark.peer
@needs_program("firewalld")
def test_beside_firewalld(firewalld: None, world: World) -> None:
    network = world.network("front")
    everything_works(world)
    web = world.boxes[0].sandbox.netns_fd
    run(COMMAND, "--reload")
    assert world.networks.find_faults([network]) == []
    assert reached(web, NEIGHBOUR, 80).startswith("neighbour ")

    leave = ("--zone=trusted", f"--remove-interface={network.device}")
    run(COMMAND, *leave)
    assert blocked(web, NEIGHBOUR, 80)
    (fault,) = world.networks.find_faults([network])
    assert fault.what == f"firewalld does not have {network.device} in its zone trusted"
    world.networks.restore(network)
    assert reached(web, NEIGHBOUR, 80).startswith("neighbour ")

    run(COMMAND, "--zone=internal", f"--change-interface={network.device}")
    assert world.networks.find_faults([network]) == []  # as the user wants it
    run(COMMAND, "--zone=trusted", f"--change-interface={network.device}")
    world.stop(world.boxes[0])
    world.networks.remove("front")
    for kind in ([], ["--permanent"]):
        assert "br-" not in run(COMMAND, *kind, "--zone=trusted", "--list-interfaces")
