"""Networks with IPv6: beside IPv4, and alone."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from engine.containers.spec import EndpointSpec
from engine.errors import NetworkProblem
from engine.network.spec import PoolSpec
from tests.engine.network.dns.resolver import AAAA, PTR, A, query, resolve
from tests.engine.network.world import (
    NEIGHBOUR6,
    OUTSIDE_HOST6,
    Box,
    World,
    blocked,
    port,
    reached,
    run,
)
from tests.marks import needs_root

pytestmark = needs_root


def asked(box: Box, name: str, kind: int) -> list[str]:
    return resolve(box.sandbox.netns_fd, query(name, kind)).addresses


def fd(box: Box) -> int:
    return box.sandbox.netns_fd


class Scene:
    """Two networks of both IP versions, an internal one, and a machine outside."""

    def __init__(self, world: World) -> None:
        front, back = world.network("front", ipv6=True), world.network("back", ipv6=True)
        world.network("closed", internal=True, ipv6=True)
        self.neighbour = world.neighbour(front, back)
        ports = (
            port(80, 8080, host_ip="::"),
            port(80, 8053, host_ip="::", protocol="udp"),
            port(80, 9090, host_ip=OUTSIDE_HOST6),
        )
        self.web = world.run("web", "front", ports=ports)
        self.peer = world.run("peer", "front")
        self.db = world.run("db", "back")
        self.secret = world.run("secret", "closed")
        self.vault = world.run("vault", "closed")
        self.gateway = str(self.web.record["endpoints"][0]["addresses"][1]["gateway"])


def test_who_reaches_whom_over_ipv6(world: World) -> None:
    scene = Scene(world)
    web, peer, db = scene.web, scene.peer, scene.db

    for protocol in ("tcp", "udp"):
        # out into the world, under the host's address
        seen = reached(fd(web), NEIGHBOUR6, 80, protocol=protocol)
        assert seen == f"neighbour {OUTSIDE_HOST6}"
        # directly: on one network, not between networks, not from outside
        assert reached(fd(peer), web.address6, 80, protocol=protocol) == f"web {peer.address6}"
        assert blocked(fd(peer), db.address6, 80, protocol=protocol)
        assert blocked(scene.neighbour, web.address6, 80, protocol=protocol)

    # published ports: from outside with the asker's own address, from the host, from containers
    assert reached(scene.neighbour, OUTSIDE_HOST6, 8080) == f"web {NEIGHBOUR6}"
    assert reached(scene.neighbour, OUTSIDE_HOST6, 8053, protocol="udp") == f"web {NEIGHBOUR6}"
    assert reached(scene.neighbour, OUTSIDE_HOST6, 9090) == f"web {NEIGHBOUR6}"
    assert reached(None, OUTSIDE_HOST6, 8080).startswith("web ")
    assert reached(None, web.address6, 80) == f"web {scene.gateway}"
    assert reached(fd(db), OUTSIDE_HOST6, 8080) == f"web {scene.gateway}"
    assert reached(fd(web), OUTSIDE_HOST6, 8080) == f"web {scene.gateway}"  # itself
    assert blocked(fd(peer), scene.gateway, 9090)

    # nothing enters or leaves an internal one
    secret, vault = scene.secret, scene.vault
    assert reached(fd(secret), vault.address6, 80) == f"vault {secret.address6}"
    assert blocked(fd(secret), NEIGHBOUR6, 80)
    assert blocked(fd(peer), secret.address6, 80)


def test_names_have_addresses_of_both_versions(world: World) -> None:
    world.network("lan", ipv6=True)
    web, asker = world.run("web", "lan"), world.run("asker", "lan")
    assert asked(asker, "web", A) == [web.address]
    assert asked(asker, "web", AAAA) == [web.address6]
    reverse = ipaddress.ip_address(web.address6).reverse_pointer
    answer = resolve(fd(asker), query(reverse, PTR))
    assert answer.data == [b"\x03web\x03lan\x00"]


def test_a_network_of_ipv6_alone(world: World) -> None:
    world.network("six", ipv4=False, ipv6=True)
    web, peer = world.run("web", "six"), world.run("peer", "six")
    assert web.address == web.address6
    assert reached(fd(peer), web.address, 80) == f"web {peer.address}"
    assert asked(peer, "web", A) == []
    assert asked(peer, "web", AAAA) == [web.address]


def test_the_subnet_and_the_address_that_were_asked_for(world: World) -> None:
    pool = PoolSpec(subnet="fd00:5::/64", gateway="fd00:5::ff", reserved={"printer": "fd00:5::1"})
    network = world.network("lan", ipv6=True, pools=(pool,))
    seen = world.networks.observe(network)
    assert seen is not None
    assert "fd00:5::ff/64" in seen.addresses
    first = world.run("first", "lan")
    assert first.address6 == "fd00:5::2"  # what is reserved is given to nobody
    fixed = world.run("fixed", EndpointSpec(network="lan", ipv6_address="fd00:5::99"))
    assert fixed.address6 == "fd00:5::99"
    assert reached(fd(first), "fd00:5::99", 80) == "fixed fd00:5::2"
    with pytest.raises(NetworkProblem, match="in use by aux_addresses"):
        world.run("taken", EndpointSpec(network="lan", ipv6_address="fd00:5::1"))


def test_an_ipv6_address_on_a_network_without_it_is_refused(world: World) -> None:
    world.network("lan")
    with pytest.raises(NetworkProblem, match="it has no IPv6") as caught:
        world.run("web", EndpointSpec(network="lan", ipv6_address="fd00::2"))
    assert caught.value.code == "address-invalid"


def test_forwarding_is_turned_on_between_containers_and_the_world_only(world: World) -> None:
    world.neighbour()
    world.network("lan", ipv6=True)
    assert Path("/proc/sys/net/ipv6/conf/all/forwarding").read_text() == "1\n"
    forwarding, advertised = [text for text in world.networks.notices if "ipv6" in text]
    assert "nothing is forwarded" in forwarding
    assert advertised.startswith("net.ipv6.conf.uplink.accept_ra was 1 and is 2 now")
    assert Path("/proc/sys/net/ipv6/conf/uplink/accept_ra").read_text() == "2\n"
    assert "uplink" in run("nft", "list", "set", "ip6", world.roots.kernel_name, "uplinks")
    world.networks.remove("lan")
    assert Path("/proc/sys/net/ipv6/conf/all/forwarding").read_text() == "0\n"


def test_a_network_without_ipv6_has_none_of_it(world: World) -> None:
    network = world.network("lan")
    box = world.run("web", "lan")
    assert run("ip", "-6", "address", "show", "dev", network.device) == ""
    assert blocked(fd(box), "fe80::1", 80)
    assert "ip6" not in run("nft", "list", "tables")
