"""What can be chosen of a bridge network, seen by packets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.containers.spec import EndpointSpec
from engine.errors import NetworkProblem
from engine.kernel.namespaces import joined_network
from engine.network import options
from engine.network.options import is_mac_address, read_bridge_options, read_endpoint_options
from engine.network.spec import PoolSpec
from tests.engine.network.world import (
    NEIGHBOUR,
    NEIGHBOUR6,
    OUTSIDE_HOST,
    OUTSIDE_HOST6,
    Box,
    World,
    blocked,
    port,
    reached,
    run,
)
from tests.marks import needs_root

if TYPE_CHECKING:
    from engine.network.spec import Network

pytestmark = needs_root


def fd(box: Box) -> int:
    return box.sandbox.netns_fd


def lan(world: World, given: dict[str, str], **more: Any) -> tuple[Network, int]:
    """A network of both IP versions, and a neighbour that has a route to it."""
    network = world.network("lan", ipv6=True, options=given, **more)
    return network, world.neighbour(network)


@pytest.mark.parametrize("filtered", ["0", "1"])
def test_containers_can_be_kept_apart_and_still_publish(world: World, filtered: str) -> None:
    for name in ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables"):
        setting = Path("/proc/sys/net/bridge") / name
        if setting.exists():
            setting.write_text(filtered)
    _, neighbour = lan(world, {options.ICC: "false"})
    web = world.run("web", "lan", ports=(port(80, 8080),))
    peer = world.run("peer", "lan")
    assert blocked(fd(peer), web.address, 80)
    assert blocked(fd(peer), web.address6, 80)
    assert reached(fd(peer), OUTSIDE_HOST, 8080).startswith("web ")
    assert reached(neighbour, OUTSIDE_HOST, 8080) == f"web {NEIGHBOUR}"
    assert reached(fd(web), NEIGHBOUR, 80) == f"neighbour {OUTSIDE_HOST}"


def test_without_masquerading_containers_appear_under_their_own_address(world: World) -> None:
    lan(world, {options.MASQUERADE: "false"})
    web = world.run("web", "lan")
    assert reached(fd(web), NEIGHBOUR, 80) == f"neighbour {web.address}"
    assert reached(fd(web), NEIGHBOUR6, 80) == f"neighbour {web.address6}"


def test_containers_appear_under_the_address_that_was_chosen(world: World) -> None:
    lan(world, {options.HOST_ADDRESSES[4]: "203.0.113.5", options.HOST_ADDRESSES[6]: "2001:db8::5"})
    run("ip", "address", "add", "203.0.113.5/24", "dev", "uplink")
    run("ip", "address", "add", "2001:db8::5/64", "dev", "uplink", "nodad")
    web = world.run("web", "lan")
    assert reached(fd(web), NEIGHBOUR, 80) == "neighbour 203.0.113.5"
    assert reached(fd(web), NEIGHBOUR6, 80) == "neighbour 2001:db8::5"


def test_ports_without_an_address_go_to_the_one_that_was_chosen(world: World) -> None:
    _, neighbour = lan(world, {options.HOST_BINDING: "127.0.0.1"})
    web = world.run("web", "lan", ports=(port(80, 8080), port(80, 8081, host_ip="0.0.0.0")))
    assert [one["host_ip"] for one in web.sandbox.published] == ["127.0.0.1", "0.0.0.0"]
    assert reached(None, "127.0.0.1", 8080).startswith("web ")
    assert blocked(neighbour, OUTSIDE_HOST, 8080)
    assert reached(neighbour, OUTSIDE_HOST, 8081) == f"web {NEIGHBOUR}"


def test_a_bridge_can_be_without_a_gateway_address(world: World) -> None:
    network, _ = lan(world, {options.INHIBIT_IPV4: "true"})
    assert run("ip", "-4", "address", "show", "dev", network.device) == ""
    web, peer = world.run("web", "lan"), world.run("peer", "lan")
    assert reached(fd(peer), web.address, 80) == f"web {peer.address}"


def test_of_a_routed_network_the_published_ports_are_reached_directly(world: World) -> None:
    routed = dict.fromkeys(options.GATEWAY_MODES.values(), options.ROUTED)
    _, neighbour = lan(world, routed)
    web = world.run("web", "lan", ports=(port(80, 8080), port(81, 8081, protocol="udp")))
    peer = world.run("peer", "lan")
    assert web.sandbox.published == []
    for address, own in ((web.address, NEIGHBOUR), (web.address6, NEIGHBOUR6)):
        assert reached(neighbour, address, 80) == f"web {own}"
        assert blocked(neighbour, address, 80, protocol="udp")
    assert blocked(neighbour, peer.address, 80)
    assert blocked(neighbour, OUTSIDE_HOST, 8080)
    assert reached(fd(web), NEIGHBOUR, 80) == f"neighbour {web.address}"
    world.stop(web)
    assert world.networks._gateway._firewall.publications() == []


def test_opened_ports_are_there_again_after_the_tables_were_lost(world: World) -> None:
    network, neighbour = lan(world, {options.GATEWAY_MODES[4]: options.ROUTED})
    web = world.run("web", "lan", ports=(port(80, 8080),))
    run("nft", "flush", "ruleset")
    world.networks.ensure_up(network)
    assert reached(neighbour, web.address, 80) == f"web {NEIGHBOUR}"
    assert reached(neighbour, OUTSIDE_HOST6, 8080) == f"web {NEIGHBOUR6}"  # nat, as before


def test_of_an_unprotected_network_every_port_is_reached_directly(world: World) -> None:
    _, neighbour = lan(world, {options.GATEWAY_MODES[4]: options.UNPROTECTED})
    web = world.run("web", "lan", ports=(port(80, 8080),))
    assert reached(neighbour, web.address, 80) == f"web {NEIGHBOUR}"
    assert blocked(neighbour, web.address6, 80)
    assert reached(neighbour, OUTSIDE_HOST, 8080) == f"web {NEIGHBOUR}"
    assert reached(fd(web), NEIGHBOUR, 80) == f"neighbour {OUTSIDE_HOST}"


def test_a_trusted_interface_reaches_every_port(world: World) -> None:
    _, neighbour = lan(world, {options.TRUSTED: "lo:uplink"})
    web = world.run("web", "lan")
    assert reached(neighbour, web.address, 80) == f"web {NEIGHBOUR}"


def test_an_isolated_network_is_out_of_reach_of_the_host(world: World) -> None:
    isolated = dict.fromkeys(options.GATEWAY_MODES.values(), options.ISOLATED)
    network, _ = lan(world, isolated, internal=True)
    web, peer = world.run("web", "lan"), world.run("peer", "lan")
    assert run("ip", "-4", "address", "show", "dev", network.device) == ""
    assert reached(fd(peer), web.address, 80) == f"web {peer.address}"
    assert blocked(None, web.address, 80)


def test_interfaces_are_named_as_asked(world: World) -> None:
    world.network("front", options={options.INTERFACE_PREFIX: "lan"})
    world.network("back")
    box = world.run("web", "front", "back", EndpointSpec(network=other(world), interface="dmz"))
    with joined_network(fd(box)):
        links = run("ip", "-brief", "link").split()
    assert {name.partition("@")[0] for name in links if "@" in name} == {"lan0", "eth0", "dmz"}


def other(world: World) -> str:
    return world.network("other").name


def test_two_interfaces_of_one_name_are_refused(world: World) -> None:
    world.network("front")
    world.network("back")
    one, two = (EndpointSpec(network=n, interface="lan0") for n in ("front", "back"))
    with pytest.raises(NetworkProblem, match="lan0 already") as caught:
        world.run("web", one, two)
    assert caught.value.code == "interface-taken"


def test_an_interface_has_sysctls_and_link_local_addresses_of_its_own(world: World) -> None:
    world.network("lan")
    sysctls = "net.ipv4.conf.IFNAME.log_martians=1, net.ipv4.conf.IFNAME.rp_filter=2"
    wish = EndpointSpec(
        network="lan",
        link_local=("169.254.7.7", "fe80::7"),
        options={options.ENDPOINT_SYSCTLS: sysctls, options.ENDPOINT_INTERFACE: "lan.0"},
    )
    box = world.run("web", wish)
    with joined_network(fd(box)):
        assert run("sysctl", "-n", "net.ipv4.conf.lan/0.log_martians").strip() == "1"
        assert run("sysctl", "-n", "net.ipv4.conf.lan/0.rp_filter").strip() == "2"
        assert "169.254.7.7/16" in run("ip", "address", "show", "dev", "lan.0")
        assert "fe80::7/64" in run("ip", "address", "show", "dev", "lan.0")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (options.ICC, "maybe"),
        (options.MTU, "12"),
        (options.MTU, "many"),
        (options.NAME, "a/b"),
        (options.NAME, "sixteen-letters-"),
        (options.NAME, "eight-é-é-é-é-é"),
        (options.NAME, "all"),
        (options.NAME, "wire%d"),
        (options.TRUSTED, "sixteen-letters-"),
        (options.MTU, "²"),
        (options.HOST_BINDING, "::1"),
        (options.HOST_BINDING, "here"),
        (options.HOST_ADDRESSES[6], "10.0.0.1"),
        (options.GATEWAY_MODES[4], "open"),
        (options.GATEWAY_MODES[4], options.ISOLATED),
        (options.INTERFACE_PREFIX, "eth0"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_what_can(key: str, value: str) -> None:
    with pytest.raises(NetworkProblem, match="cannot be") as caught:
        read_bridge_options("lan", {key: value})
    assert caught.value.code == "option-invalid"
    assert caught.value.hint


@pytest.mark.parametrize(
    "setting", ["net.ipv4.conf.eth0.forwarding=1", "net.ipv4.conf.IFNAME", "kernel.x.IFNAME.y.z=1"]
)
def test_a_sysctl_that_is_not_of_the_interface_is_refused(setting: str) -> None:
    with pytest.raises(NetworkProblem, match="cannot be"):
        read_endpoint_options("lan", {options.ENDPOINT_SYSCTLS: setting})


def test_an_option_without_effect_is_named(world: World) -> None:
    world.network("lan", options={"com.docker.network.bridge.colour": "blue", options.ICC: "1"})
    six = (PoolSpec(subnet="fd00:7::/64"),)
    world.network("four", pools=six)
    assert "four: subnet fd00:7::/64 has no effect" in world.networks.notices[-1]
    world.network("typo", driver="macvlan", options={"parnet": "eth0", "macvlan_mode": "bridge"})
    assert [text.split()[1:5] for text in world.networks.notices if "is not known" in text] == [
        ["lan:", "the", "option", "com.docker.network.bridge.colour"],
        ["typo:", "the", "option", "parnet"],
    ]


@pytest.mark.parametrize("text", ["02:42:ac:11:00:02", "02-42-AC-11-00-02", "00:00:00:00:00:01"])
def test_the_address_of_a_card(text: str) -> None:
    assert is_mac_address(text)


@pytest.mark.parametrize(
    "text", ["", "01:00:00:00:00:01", "00:00:00:00:00:00", "2:42:ac:11:0:2", "02:42:ac:11:00", "é"]
)
def test_what_is_none(text: str) -> None:
    assert not is_mac_address(text)


def test_ipv6_needs_packets_of_its_least_size() -> None:
    assert read_bridge_options("lan", {options.MTU: "1280"}, ipv6=True).mtu == 1280
    assert read_bridge_options("lan", {options.MTU: "90"}).mtu == 90
    with pytest.raises(NetworkProblem, match="mtu cannot be `1279`"):
        read_bridge_options("lan", {options.MTU: "1279"}, ipv6=True)
