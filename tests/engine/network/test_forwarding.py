"""ip_forward: on for containers, and the host no router for anybody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.kernel import namespaces
from tests.engine.network.world import NEIGHBOUR, NOTHING, World, ask, reached, run
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_root
SYSCTL = Path("/proc/sys/net/ipv4/ip_forward")


@pytest.fixture
def other_side(world: World) -> Iterator[int]:
    """A second link of the host, whose machine routes by it; and the neighbour on the first."""
    SYSCTL.write_text("0")
    neighbour = world.neighbour()
    fd = namespaces.new_network()
    run("ip", "link", "add", "second", "type", "veth", "peer", "name", "eth0")
    run("ip", "link", "set", "eth0", "netns", f"/proc/{os.getpid()}/fd/{fd}")
    run("ip", "address", "add", "192.0.2.1/24", "dev", "second")
    run("ip", "link", "set", "second", "up")
    with namespaces.joined_network(fd):
        run("ip", "address", "add", "192.0.2.9/24", "dev", "eth0")
        run("ip", "link", "set", "eth0", "up")
        run("ip", "route", "add", "default", "via", "192.0.2.1")
    with namespaces.joined_network(neighbour):
        run("ip", "route", "add", "192.0.2.0/24", "via", "203.0.113.1")
    yield fd
    os.close(fd)


def test_it_is_turned_on_for_containers_and_said(world: World, other_side: int) -> None:
    world.network("front")
    assert SYSCTL.read_text() == "1\n"
    (notice,) = world.networks.notices
    assert "ip_forward was 0 and is 1 now" in notice
    assert "second" in notice
    box = world.run("web", "front")
    assert reached(box.sandbox.netns_fd, NEIGHBOUR, 80).startswith("neighbour ")


def test_the_hosts_own_links_stay_apart_also_after_the_table_was_lost(
    world: World, other_side: int
) -> None:
    network = world.network("front")
    assert ask(other_side, "tcp", NEIGHBOUR, 80, patience_s=0.3) == NOTHING
    run("nft", "flush", "ruleset")
    assert reached(other_side, NEIGHBOUR, 80).startswith("neighbour ")  # as it would be
    world.networks.ensure_up(network)
    assert ask(other_side, "tcp", NEIGHBOUR, 80, patience_s=0.3) == NOTHING
    run("nft", "delete", "element", "ip", world.roots.kernel_name, "uplinks", "{ second }")
    (fault,) = world.networks.find_faults([network])
    assert fault.what == "second is not kept apart from the host's other links any more"
    world.networks.ensure_up(network)
    assert ask(other_side, "tcp", NEIGHBOUR, 80, patience_s=0.3) == NOTHING


def test_it_is_turned_off_with_the_last_network(world: World, other_side: int) -> None:
    world.network("front")
    world.network("back")
    world.networks.remove("front")
    assert SYSCTL.read_text() == "1\n"
    world.networks.remove("back")
    assert SYSCTL.read_text() == "0\n"


def test_it_stays_on_when_somebody_has_come_to_need_it(world: World, other_side: int) -> None:
    world.network("front")
    run("ip", "link", "add", "docker0", "type", "bridge")
    world.networks.remove("front")
    assert SYSCTL.read_text() == "1\n"


def test_a_host_that_forwarded_before_is_left_as_it_was(world: World, other_side: int) -> None:
    SYSCTL.write_text("1")
    world.network("front")
    assert world.networks.notices == []
    assert reached(other_side, NEIGHBOUR, 80).startswith("neighbour ")
    world.networks.remove("front")
    assert SYSCTL.read_text() == "1\n"
