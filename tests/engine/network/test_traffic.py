"""Who reaches whom, by real packets."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyroute2 import Conntrack  # type: ignore[import-untyped]

from engine.containers.spec import EndpointSpec
from tests.engine.network.world import (
    NEIGHBOUR,
    OUTSIDE_HOST,
    PATIENCE_S,
    Box,
    World,
    blocked,
    port,
    reached,
)
from tests.marks import needs_root

pytestmark = needs_root

BRIDGE_NETFILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


class Scene:
    """Two networks and an internal one; `web` publishes ports, `app` sees both networks."""

    def __init__(self, world: World) -> None:
        self.world = world
        front, back = world.network("front"), world.network("back")
        world.network("closed", internal=True)
        self.neighbour = world.neighbour(front, back)
        self.web = world.run(
            "web",
            "front",
            ports=(
                port(80, 8080),
                port(80, 8053, protocol="udp"),
                port(80, 9090, host_ip="127.0.0.1"),
            ),
        )
        self.peer = world.run("peer", "front")
        self.db = world.run("db", "back")
        self.app = world.run("app", "front", "back")
        self.secret = world.run("secret", "closed")
        self.vault = world.run("vault", "closed")

    @property
    def gateway(self) -> str:
        return str(self.web.record["endpoints"][0]["addresses"][0]["gateway"])


@pytest.fixture(params=["bridge-netfilter", "no-bridge-netfilter"])
def scene(world: World, request: pytest.FixtureRequest) -> Scene:
    if BRIDGE_NETFILTER.exists():
        BRIDGE_NETFILTER.write_text("1" if request.param == "bridge-netfilter" else "0")
    elif request.param == "bridge-netfilter":
        pytest.skip("the kernel has no br_netfilter")
    return Scene(world)


def tracked(address: str) -> list[object]:
    """The flows that the host keeps books of, from or to an address."""
    with Conntrack() as table:
        found = [
            (entry.get_attr("CTA_TUPLE_ORIG"), entry.get_attr("CTA_TUPLE_REPLY"))
            for entry in table.dump()
        ]
    return [flow for flow in found if address in repr(flow)]


def fd(box: Box) -> int:
    return box.sandbox.netns_fd


def test_who_reaches_whom(scene: Scene) -> None:
    web, peer, db, app = scene.web, scene.peer, scene.db, scene.app

    # out into the world, under the host's address
    for protocol in ("tcp", "udp"):
        assert reached(fd(web), NEIGHBOUR, 80, protocol=protocol) == f"neighbour {OUTSIDE_HOST}"

    # published ports: from outside, with the asker's own address
    assert reached(scene.neighbour, OUTSIDE_HOST, 8080) == f"web {NEIGHBOUR}"
    assert reached(scene.neighbour, OUTSIDE_HOST, 8053, protocol="udp") == f"web {NEIGHBOUR}"
    # ... from the host, by loopback and by its own address
    assert reached(None, "127.0.0.1", 8080) == f"web {scene.gateway}"
    assert reached(None, "127.0.0.1", 8053, protocol="udp") == f"web {scene.gateway}"
    assert reached(None, OUTSIDE_HOST, 8080).startswith("web ")
    # ... from the container itself, a sibling, and another network
    assert reached(fd(web), scene.gateway, 8080) == f"web {scene.gateway}"
    assert reached(fd(web), OUTSIDE_HOST, 8080) == f"web {scene.gateway}"
    assert reached(fd(peer), OUTSIDE_HOST, 8080) == f"web {scene.gateway}"
    assert reached(fd(peer), OUTSIDE_HOST, 8053, protocol="udp") == f"web {scene.gateway}"
    assert reached(fd(db), OUTSIDE_HOST, 8080) == f"web {scene.gateway}"

    # published on 127.0.0.1 alone
    assert reached(None, "127.0.0.1", 9090).startswith("web ")
    assert blocked(scene.neighbour, OUTSIDE_HOST, 9090)
    assert blocked(fd(peer), scene.gateway, 9090)

    # neighbours on a network, by address; the host too
    assert reached(fd(peer), web.address, 80) == f"web {peer.address}"
    assert reached(fd(app), db.address, 80) == f"db {app.on('back')}"
    assert reached(None, db.address, 80).startswith("db ")


def test_who_does_not_reach_whom(scene: Scene) -> None:
    web, peer, db = scene.web, scene.peer, scene.db
    for protocol in ("tcp", "udp"):
        assert blocked(fd(peer), db.address, 80, protocol=protocol)
        assert blocked(fd(db), web.address, 80, protocol=protocol)
        # the neighbour has a route to the containers, and still comes in by no other way
        # than a published port, not even to the port behind one
        assert blocked(scene.neighbour, web.address, 80, protocol=protocol)
        assert blocked(scene.neighbour, db.address, 80, protocol=protocol)


def test_an_internal_network_has_no_way_out_or_in(scene: Scene) -> None:
    secret, vault = scene.secret, scene.vault
    assert reached(fd(secret), vault.address, 80) == f"vault {secret.address}"
    assert reached(None, secret.address, 80).startswith("secret ")
    assert blocked(fd(secret), NEIGHBOUR, 80)
    assert blocked(fd(secret), OUTSIDE_HOST, 8080)
    assert blocked(fd(scene.peer), secret.address, 80)
    assert blocked(scene.neighbour, secret.address, 80)


def ways_out(box: Box) -> list[str]:
    return [
        endpoint["network"]
        for endpoint in box.record["endpoints"]
        if any(place["default_route"] for place in endpoint["addresses"])
    ]


def test_the_default_route_follows_gw_priority_then_the_name(world: World) -> None:
    world.network("alpha")
    world.network("beta")
    world.neighbour()
    by_name = world.run("by-name", "beta", "alpha")
    assert ways_out(by_name) == ["alpha"]
    preferred = world.run(
        "preferred", "alpha", EndpointSpec(network="beta", gw_priority=1), ports=(port(80, 8081),)
    )
    assert ways_out(preferred) == ["beta"]
    assert reached(None, "127.0.0.1", 8081).startswith("preferred ")
    assert reached(fd(preferred), NEIGHBOUR, 80) == f"neighbour {OUTSIDE_HOST}"


def test_ports_of_a_container_that_is_only_on_an_internal_network_are_left_out(
    world: World,
) -> None:
    world.network("closed", internal=True)
    box = world.run("secret", "closed", ports=(port(80, 8080),))
    assert box.sandbox.published == []
    assert blocked(None, "127.0.0.1", 8080)
    said = "the ports of secret are not published: network closed is internal"
    assert said in world.networks.notices


def test_a_port_that_is_given_back_answers_no_more(world: World) -> None:
    world.network("front")
    box = world.run("web", "front", ports=(port(80, 8080), port(80, 8053, protocol="udp")))
    assert reached(None, "127.0.0.1", 8080).startswith("web ")
    world.stop(box)
    assert blocked(None, "127.0.0.1", 8080)
    assert world.networks._gateway._firewall.publications() == []


def test_udp_clients_follow_a_port_to_its_next_container(world: World) -> None:
    """They keep their own port, so a stale conntrack entry would hold them to the dead one."""
    import socket

    world.network("front")
    world.neighbour()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE_S)
        client.connect((OUTSIDE_HOST, 8053))
        client.send(b"?")  # before there is a port: tracked as a connection to the host itself
        with pytest.raises(ConnectionRefusedError):
            client.recv(100)
        first = world.run("first", "front", ports=(port(80, 8053, protocol="udp"),))
        client.send(b"?")
        assert client.recv(100).startswith(b"first ")
        world.stop(first)
        world.run("second", "front", ports=(port(80, 8053, protocol="udp"),))
        client.send(b"?")
        assert client.recv(100).startswith(b"second ")


def test_what_containers_have_talked_of_goes_with_their_network(world: World) -> None:
    network = world.network("front")
    neighbour = world.neighbour(network)
    web = world.run("web", "front", ports=(port(80, 8080),))
    assert reached(neighbour, OUTSIDE_HOST, 8080) == f"web {NEIGHBOUR}"
    assert reached(fd(web), NEIGHBOUR, 80) == f"neighbour {OUTSIDE_HOST}"
    assert len(tracked(web.address)) == 2
    world.stop(web)
    world.networks.remove("front")
    assert tracked(web.address) == []
