"""Beside Docker's daemon, the real one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.network.test_coexistence import everything_works, rules
from tests.engine.network.world import NEIGHBOUR, blocked, port, reached, run
from tests.marks import needs_program, needs_root
from tests.peer import NoPeer, docker_peer
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.engine.network.world import World
    from tests.peer import DockerPeer

pytestmark = [needs_root, pytest.mark.peer, needs_program("iptables-nft"), pytest.mark.timeout(180)]


def test_beside_a_daemon_that_drops_what_it_does_not_know(world: World) -> None:
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0")  # else it leaves the policy alone
    try:
        with docker_peer(networks=True) as docker:
            _traffic_passes(world)
            _containers_are_apart(world, docker)
    except NoPeer as reason:
        pytest.skip(str(reason))


def _traffic_passes(world: World) -> None:
    assert "-P FORWARD DROP" in rules("FORWARD")
    network = world.network("front")
    everything_works(world)
    web = world.boxes[0].sandbox.netns_fd

    run("iptables-nft", "-F", "DOCKER-USER")
    assert blocked(web, NEIGHBOUR, 80)
    (fault,) = world.networks.find_faults([network])
    assert fault.what == f"chain `ip filter DOCKER-USER` does not let {network.device} through"
    world.networks.restore(network)
    assert reached(web, NEIGHBOUR, 80).startswith("neighbour ")

    world.stop(world.boxes[0])
    world.networks.remove("front")
    assert network.device not in run("nft", "list", "ruleset")


def _containers_are_apart(world: World, docker: DockerPeer) -> None:
    """Docker's network is made after ours: its bridge is not one that was there before."""
    network = world.network("behind")
    box = world.run("shop", "behind", ports=(port(80, 8080),))
    docker.docker("network", "create", "theirs")
    serving = "while :; do echo docker | nc -l -p 80; done"
    words = "run", "-d", "--network", "theirs", "--name", "their", "-p", "8090:80"
    docker.docker(*words, "busybox", "sh", "-c", serving)
    shown = "{{.NetworkSettings.Networks.theirs.IPAddress}}"
    theirs = docker.docker("inspect", "-f", shown, "their").strip()
    gateway = str(network.pools[0].gateway)
    for _ in range(2):
        assert blocked(box.sandbox.netns_fd, theirs, 80)
        assert eventually(lambda: reached(box.sandbox.netns_fd, gateway, 8090) == "docker\n")
        world.networks.ensure_up(network)
    asked = docker.docker("exec", "their", "sh", "-c", f"nc -w 20 {gateway} 8080 </dev/null")
    assert asked.startswith("shop ")
    docker.docker("rm", "-f", "their")
