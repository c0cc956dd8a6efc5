"""Beside other firewalls: Docker's, ufw's, and those that only can be told about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.network.world import NEIGHBOUR, OUTSIDE_HOST, port, reached, run
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from tests.engine.network.world import World

pytestmark = [needs_root, needs_program("iptables-nft"), needs_program("nft")]


def rules(chain: str) -> list[str]:
    return run("iptables-nft", "-S", chain).splitlines()


def everything_works(world: World) -> None:
    neighbour = world.neighbour()
    box = world.run("web", "front", ports=(port(80, 8080),))
    assert reached(box.sandbox.netns_fd, NEIGHBOUR, 80) == f"neighbour {OUTSIDE_HOST}"
    assert reached(neighbour, OUTSIDE_HOST, 8080) == f"web {NEIGHBOUR}"
    assert reached(None, "127.0.0.1", 8080).startswith("web ")


def test_beside_docker(world: World) -> None:
    run("iptables-nft", "-N", "DOCKER-USER")
    run("iptables-nft", "-A", "DOCKER-USER", "-j", "RETURN")
    run("iptables-nft", "-I", "FORWARD", "-j", "DOCKER-USER")
    run("iptables-nft", "-P", "FORWARD", "DROP")
    network = world.network("front")
    accepts = [
        f"-A DOCKER-USER -o {network.device} -j ACCEPT",
        f"-A DOCKER-USER -i {network.device} -j ACCEPT",
    ]
    assert rules("DOCKER-USER")[1:] == [*accepts, "-A DOCKER-USER -j RETURN"]
    world.networks.ensure_up(network)
    assert rules("DOCKER-USER")[1:] == [*accepts, "-A DOCKER-USER -j RETURN"]
    everything_works(world)
    world.stop(world.boxes[0])
    world.networks.remove("front")
    assert rules("DOCKER-USER") == ["-N DOCKER-USER", "-A DOCKER-USER -j RETURN"]


def test_beside_a_forward_chain_that_drops(world: World) -> None:
    run("iptables-nft", "-P", "FORWARD", "DROP")
    run("iptables-nft", "-A", "FORWARD", "-i", "br-of-others", "-j", "ACCEPT")
    network = world.network("front")
    everything_works(world)
    world.stop(world.boxes[0])
    world.networks.remove("front")
    assert rules("FORWARD") == ["-P FORWARD DROP", "-A FORWARD -i br-of-others -j ACCEPT"]
    assert network.device not in run("nft", "list", "ruleset")


def test_a_docker_that_comes_later_is_answered_by_the_next_command(world: World) -> None:
    network = world.network("front")
    run("iptables-nft", "-P", "FORWARD", "DROP")
    world.networks.ensure_up(network)
    everything_works(world)


def test_an_accepting_forward_chain_is_left_alone(world: World) -> None:
    run("iptables-nft", "-A", "FORWARD", "-i", "x", "-j", "ACCEPT")
    world.network("front")
    assert rules("FORWARD") == ["-P FORWARD ACCEPT", "-A FORWARD -i x -j ACCEPT"]
    assert world.networks.notices == [] or "ip_forward" in world.networks.notices[0]


@pytest.mark.parametrize("family", ["ip", "inet"])
def test_a_dropping_chain_of_a_stranger_is_told(world: World, family: str) -> None:
    run("nft", "add", "table", family, "mine")
    hook = "{ type filter hook forward priority 0; policy drop; }"
    run("nft", "add", "chain", family, "mine", "watch", hook)
    network = world.network("front")
    told = [text for text in world.networks.notices if f"`{family} mine watch`" in text]
    assert len(told) == 1
    assert network.device in told[0]


def test_firewalld_is_told_with_the_command_that_helps(world: World) -> None:
    run("nft", "add", "table", "inet", "firewalld")
    hook = "{ type filter hook forward priority 10; policy accept; }"
    run("nft", "add", "chain", "inet", "firewalld", "filter_FORWARD", hook)
    network = world.network("front")
    assert any(
        f"firewall-cmd --zone=trusted --add-interface={network.device}" in text
        for text in world.networks.notices
    )
