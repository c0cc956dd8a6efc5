"""Containers with a place of their own on the host's network."""

from __future__ import annotations

import subprocess

import pytest

from engine.errors import NetworkProblem
from engine.kernel.namespaces import joined_network
from engine.kernel.rtnetlink import RouteSocket
from engine.network.drivers import bridge
from engine.network.options import MTU
from engine.network.spec import PoolSpec
from tests.engine.network.world import (
    NEIGHBOUR,
    NEIGHBOUR6,
    OUTSIDE_HOST,
    Box,
    World,
    blocked,
    port,
    reached,
    run,
)
from tests.marks import needs_root

pytestmark = needs_root

POOLS = (
    PoolSpec(subnet="203.0.113.0/24", gateway=OUTSIDE_HOST, ip_range="203.0.113.64/26"),
    PoolSpec(subnet="2001:db8::/64", gateway="2001:db8::1", ip_range="2001:db8::64:0/112"),
)


def fd(box: Box) -> int:
    return box.sandbox.netns_fd


def knows(kind: str) -> bool:
    """Whether the kernel makes links of that kind."""
    extra = ("id", "77") if kind == "vlan" else ()
    argv = ["ip", "link", "add", "link", "uplink", "name", "probe", "type", kind, *extra]
    if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
        return False
    run("ip", "link", "delete", "probe")
    return True


def on_the_lan(world: World, **options: str) -> None:
    world.network("lan", driver="macvlan", ipv6=True, pools=POOLS, options=options)


def test_a_container_is_a_neighbour_among_neighbours(world: World) -> None:
    neighbour = world.neighbour()
    on_the_lan(world, parent="uplink")
    web, peer = world.run("web", "lan"), world.run("peer", "lan")
    assert web.address.startswith("203.0.113.6")
    assert reached(neighbour, web.address, 80) == f"web {NEIGHBOUR}"
    assert reached(neighbour, web.address6, 80) == f"web {NEIGHBOUR6}"
    assert reached(fd(web), NEIGHBOUR, 80) == f"neighbour {web.address}"  # not translated
    assert reached(fd(peer), web.address, 80) == f"web {peer.address}"
    assert reached(fd(peer), "web", 80) == "no answer"  # names are asked for at 127.0.0.11
    assert blocked(None, web.address, 80)  # the host itself: the kernel keeps it apart
    seen = run("ip", "-details", "link", "show", "uplink")
    assert "macvlan" not in seen  # nothing of it in the host's namespace


def test_private_containers_do_not_see_each_other(world: World) -> None:
    neighbour = world.neighbour()
    on_the_lan(world, parent="uplink", macvlan_mode="private")
    web, peer = world.run("web", "lan"), world.run("peer", "lan")
    assert reached(neighbour, web.address, 80) == f"web {NEIGHBOUR}"
    assert blocked(fd(peer), web.address, 80)


def test_without_a_parent_containers_are_among_themselves(world: World) -> None:
    world.neighbour()
    network = world.network("alone", driver="macvlan")
    assert network.internal
    web, peer = world.run("web", "alone"), world.run("peer", "alone")
    assert reached(fd(peer), web.address, 80) == f"web {peer.address}"
    assert blocked(fd(web), NEIGHBOUR, 80)
    assert blocked(None, web.address, 80)
    world.stop(web)
    world.stop(peer)
    world.networks.remove("alone")
    assert network.device not in run("ip", "link")


def test_its_bridge_is_made_once_whoever_is_faster(world: World) -> None:
    network = world.network("alone", driver="macvlan")
    seen = run("ip", "-brief", "link", "show", network.device)
    with RouteSocket() as host:
        bridge.add_bridge(host, network.device, 1500, f"buoy parent {network.id}")
    assert run("ip", "-brief", "link", "show", network.device) == seen
    run("ip", "link", "delete", network.device)
    world.networks.remove("alone")


def test_published_ports_are_left_out_aloud(world: World) -> None:
    world.neighbour()
    on_the_lan(world, parent="uplink")
    box = world.run("web", "lan", ports=(port(80, 8080),))
    assert box.sandbox.published == []
    assert any("the ports of web are not published" in text for text in world.networks.notices)


def test_the_parent_stays_when_the_network_goes(world: World) -> None:
    world.neighbour()
    on_the_lan(world, parent="uplink")
    world.networks.remove("lan")
    assert "uplink" in run("ip", "link")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"parent": "nobody"}, "parent-missing"),
        ({"parent": "uplink.x"}, "option-invalid"),
        ({"parent": "uplink.5000"}, "option-invalid"),
        ({"macvlan_mode": "open"}, "option-invalid"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    world: World, options: dict[str, str], code: str
) -> None:
    world.neighbour()
    with pytest.raises(NetworkProblem) as caught:
        on_the_lan(world, **options)
    assert caught.value.code == code
    assert world.networks.list() == []


@pytest.mark.parametrize(
    ("driver", "parent", "kind"), [("macvlan", "uplink.50", "vlan"), ("ipvlan", "uplink", "ipvlan")]
)
def test_what_the_kernel_may_not_have_is_named(
    world: World, driver: str, parent: str, kind: str
) -> None:
    world.neighbour()
    if knows(kind):
        world.network("lan", driver=driver, pools=POOLS[:1], options={"parent": parent})
        web, peer = world.run("web", "lan"), world.run("peer", "lan")
        assert reached(fd(peer), web.address, 80) == f"web {peer.address}"
        return
    with pytest.raises(NetworkProblem) as caught:
        world.network("lan", driver=driver, pools=POOLS[:1], options={"parent": parent})
    assert caught.value.code == "driver-unsupported"
    assert world.networks.list() == []
    assert kind not in run("ip", "-details", "link")


def test_a_vlan_that_has_another_name_is_told_where_there_are_vlans(world: World) -> None:
    world.neighbour()
    known = knows("vlan")
    if known:
        run("ip", "link", "add", "link", "uplink", "name", "office", "type", "vlan", "id", "50")
    with pytest.raises(NetworkProblem) as caught:
        on_the_lan(world, parent="uplink.50")
    assert caught.value.code == ("device-exists" if known else "driver-unsupported")
    assert world.networks.list() == []


def test_packets_are_as_large_as_the_parent_takes_them(world: World) -> None:
    world.neighbour()
    run("ip", "link", "set", "uplink", "mtu", "1400")
    on_the_lan(world, parent="uplink")
    with joined_network(fd(world.run("web", "lan"))):
        assert "mtu 1400" in run("ip", "link", "show", "eth0")
    lower, higher = ({"parent": "uplink", MTU: mtu} for mtu in ("1300", "9000"))
    world.network("low", driver="macvlan", options=lower)
    with joined_network(fd(world.run("peer", "low"))):
        assert "mtu 1300" in run("ip", "link", "show", "eth0")
    with pytest.raises(NetworkProblem, match="cannot be 9000: its parent uplink has 1400"):
        world.network("high", driver="macvlan", options=higher)


def test_an_mtu_that_is_none_is_refused_before_anything_is_made(world: World) -> None:
    with pytest.raises(NetworkProblem, match="mtu cannot be `lots`") as caught:
        on_the_lan(world, parent="lo", **{"com.docker.network.driver.mtu": "lots"})
    assert caught.value.code == "option-invalid"
    assert world.networks.list() == []
