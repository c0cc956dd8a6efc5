"""From where a published port can be reached: links, addresses and routes of a host of our own."""

from __future__ import annotations

import pytest

from engine.network.exposure import Way, observe_ways, ways_to
from tests.engine.network.world import run
from tests.marks import needs_root

pytestmark = [needs_root, pytest.mark.usefixtures("host")]


def ip(text: str) -> None:
    run("ip", *text.split())


def link(name: str, *addresses: str) -> None:
    """A link that is up, with these addresses alone."""
    ip(f"link add {name} type veth peer name far-{name}")
    for end in (name, f"far-{name}"):
        ip(f"link set {end} addrgenmode none")
        ip(f"link set {end} up")
    for address in addresses:
        ip(f"address add {address} dev {name} {'nodad' if ':' in address else ''}")


def test_a_host_without_addresses_is_reached_from_itself_alone() -> None:
    link("eth0")
    assert ways_to("0.0.0.0", observe_ways()) == ways_to("::", observe_ways()) == ()


def test_no_bridge_of_containers_alone_is_a_way_to_the_host() -> None:
    link("guest")
    ip("link add wire type vxlan id 7 dstport 0 local 127.0.0.1")  # what leads on to others
    for bridge, port, address in (
        ("guests", "guest", "192.168.5.1"),
        ("lan", "wire", "192.168.6.1"),
    ):
        ip(f"link add {bridge} type bridge")
        ip(f"link set {port} master {bridge}")
        ip(f"link set {bridge} up")
        ip(f"address add {address}/24 dev {bridge}")
    ip("link add off type bridge")
    ip("address add 192.168.7.1/24 dev off")
    assert ways_to("0.0.0.0", observe_ways()) == (
        Way(scope="lan", link="lan", address="192.168.6.1"),
    )
    assert ways_to("192.168.5.1", observe_ways()) == ()


def test_routes_decide_how_far_an_address_reaches() -> None:
    link("eth0", "192.168.1.5/24", "192.168.1.6/24", "fd00:5::5/64", "fe80::5/64")
    link("eth1", "1.2.3.4/24")  # public, as far as the number says
    seen = {way.address: way.scope for way in observe_ways()}
    assert seen == dict.fromkeys(
        ("192.168.1.5", "192.168.1.6", "fd00:5::5", "fe80::5", "1.2.3.4"), "lan"
    )
    ip("route add 10.0.0.0/8 via 192.168.1.1")
    assert ways_to("192.168.1.6", observe_ways())[0].scope == "routed"
    assert ways_to("1.2.3.4", observe_ways())[0].scope == "lan"
    ip("route add default via 1.2.3.1")
    ways = observe_ways()
    assert [(way.link, way.scope) for way in ways_to("0.0.0.0", ways)] == [
        ("eth1", "everywhere"),
        ("eth0", "routed"),
    ]
    assert ways_to("::", ways) == (Way(scope="lan", link="eth0", address="fd00:5::5"),)
    assert ways_to("127.0.0.1", ways) == ()
