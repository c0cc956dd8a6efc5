"""Beside other firewalls: Docker's, ufw, and those that only can be told about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.network.world import (
    NEIGHBOUR,
    OUTSIDE_HOST,
    blocked,
    port,
    reached,
    run,
)
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from engine.network.spec import Network
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


def test_dockers_containers_are_reached_by_what_they_publish_alone(world: World) -> None:
    """The rules are those of Docker 20.10, for one container with 8090 published."""
    network = world.network("front")
    world.network("back")
    web = world.run("web", "front", ports=(port(80, 8080),)).sandbox.netns_fd
    world.run("db", "back", ports=(port(80, 8081),))
    theirs, lab = world.guest("docker0", "198.18.1"), world.guest("br-lab", "198.18.2")
    for words in (
        "-P FORWARD DROP",
        "-N DOCKER-USER",
        "-N DOCKER",
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A FORWARD -o docker0 -j DOCKER",
        "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
        f"-A DOCKER -d {theirs}/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT",
        f"-t nat -A PREROUTING -p tcp --dport 8090 -j DNAT --to-destination {theirs}:80",
    ):
        run("iptables-nft", *words.split())
    (fault,) = {one.what for one in world.networks.find_faults([network]) if "Docker" in one.what}
    assert fault.startswith("Docker's containers are not kept apart")
    world.networks.ensure_up(network)
    gateway = str(network.pools[0].gateway)
    assert blocked(web, theirs, 80)
    assert reached(web, gateway, 8090).startswith("docker0 ")
    assert reached(web, gateway, 8081).startswith("db ")
    assert reached(web, lab, 80).startswith("br-lab ")
    later = world.guest("br-later", "198.18.3")
    assert blocked(web, later, 80)
    world.networks.ensure_up(network)
    assert reached(web, later, 80).startswith("br-later ")
    run("nft", "delete", "table", world.roots.kernel_name)
    world.networks.ensure_tables()
    assert blocked(web, theirs, 80)
    assert reached(web, later, 80).startswith("br-later ")


def test_beside_a_forward_chain_that_drops(world: World) -> None:
    run("iptables-nft", "-P", "FORWARD", "DROP")
    run("iptables-nft", "-A", "FORWARD", "-i", "br-of-others", "-j", "ACCEPT")
    network = world.network("front")
    everything_works(world)
    world.stop(world.boxes[0])
    world.networks.remove("front")
    assert rules("FORWARD") == ["-P FORWARD DROP", "-A FORWARD -i br-of-others -j ACCEPT"]
    assert network.device not in run("nft", "list", "ruleset")


def test_accepts_that_somebody_removed_are_put_back(world: World) -> None:
    run("iptables-nft", "-N", "DOCKER-USER")
    run("iptables-nft", "-I", "FORWARD", "-j", "DOCKER-USER")
    run("iptables-nft", "-P", "FORWARD", "DROP")
    network = world.network("front")
    run("iptables-nft", "-F", "DOCKER-USER")
    (told,) = world.networks.find_faults([network])
    assert told.what == f"chain `ip filter DOCKER-USER` does not let {network.device} through"
    world.networks.restore(network)
    assert world.networks.find_faults([network]) == []
    everything_works(world)


@pytest.mark.parametrize("end", ["REJECT", "DROP"])
def test_beside_a_forward_chain_that_ends_by_dropping(world: World, end: str) -> None:
    run("iptables-nft", "-A", "FORWARD", "-j", end)
    world.network("front")
    everything_works(world)
    world.stop(world.boxes[0])
    world.networks.remove("front")
    assert [rule.split(" --")[0] for rule in rules("FORWARD")[1:]] == [f"-A FORWARD -j {end}"]


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


def told(world: World, network: Network) -> list[tuple[str, str]]:
    found = world.networks.find_faults([network])
    return [(one.what, one.hint) for one in found if one.hint]


def obey(hint: str) -> None:
    """Type what the hint says, for both directions."""
    command = hint.split("`")[1]
    for words in (command, command.replace("iif", "oif").replace("-i ", "-o ")):
        run(*words.split())


@pytest.mark.parametrize(("family", "table"), [("ip", "mine"), ("inet", "filter")])
@pytest.mark.parametrize("how", ["policy", "rule"])
def test_a_dropping_chain_of_a_stranger_is_told_until_it_lets_us_through(
    world: World, family: str, table: str, how: str
) -> None:
    run("nft", "add", "table", family, table)
    policy = "drop" if how == "policy" else "accept"
    hook = f"{{ type filter hook forward priority 0; policy {policy}; }}"
    run("nft", "add", "chain", family, table, "watch", hook)
    if how == "rule":
        run("nft", "add", "rule", family, table, "watch", "counter", "reject")
    network = world.network("front")
    ((what, hint),) = told(world, network)
    assert what == f"nftables chain `{family} {table} watch` drops what it does not know"
    assert f"network front: {what} ({hint})" in world.networks.notices
    obey(hint)
    assert told(world, network) == []
    everything_works(world)


@needs_program("iptables-legacy")
def test_a_dropping_chain_of_iptables_legacy_is_told_until_it_lets_us_through(
    world: World,
) -> None:
    run("iptables-legacy", "-A", "FORWARD", "-i", "br-of-others", "-j", "ACCEPT")
    network = world.network("front")
    assert told(world, network) == []
    run("iptables-legacy", "-P", "FORWARD", "DROP")
    ((what, hint),) = told(world, network)
    assert what == "chain FORWARD of iptables-legacy drops what it does not know"
    obey(hint)
    assert told(world, network) == []
    everything_works(world)


def test_a_firewalld_that_does_not_answer_is_told_with_what_helps(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    run("nft", "add", "table", "inet", "firewalld")
    hook = "{ type filter hook forward priority 10; policy accept; }"
    run("nft", "add", "chain", "inet", "firewalld", "filter_FORWARD", hook)
    ((what, hint),) = told(world, world.network("front"))
    assert "the rules of firewalld are there, and it cannot be asked" in what
    assert "firewall-cmd --permanent --zone=trusted --add-interface=br-" in hint


@needs_program("ufw")
def test_beside_ufw(world: World, tmp_path: Path) -> None:
    run("cp", "-a", "/etc/ufw", f"{tmp_path}")
    aside = f"mount --bind {tmp_path}/ufw /etc/ufw && ufw --force enable && ufw reload"
    run("unshare", "-m", "sh", "-c", aside)
    assert "-P FORWARD DROP" in rules("FORWARD")
    network = world.network("front")
    everything_works(world)
    run("unshare", "-m", "sh", "-c", aside)
    assert world.networks.find_faults([network]) == []
    assert reached(world.boxes[0].sandbox.netns_fd, NEIGHBOUR, 80).startswith("neighbour ")
    world.stop(world.boxes[0])
    world.networks.remove("front")
    assert network.device not in run("nft", "list", "ruleset")
