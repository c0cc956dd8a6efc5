"""The addresses of the host that a port is published on."""

from __future__ import annotations

import pytest

from engine.network.bindings import described_ports
from engine.network.options import GATEWAY_MODES, HOST_BINDING
from tests.engine.network.world import World, port
from tests.marks import needs_root

pytestmark = needs_root


@pytest.mark.parametrize(
    ("host_ip", "loopback", "wanted"),
    [
        (None, False, ["0.0.0.0", "::"]),
        (None, True, ["127.0.0.1", "::1"]),
        ("0.0.0.0", True, ["127.0.0.1"]),
        ("192.168.1.5", True, ["127.0.0.1"]),
        ("127.0.0.9", True, ["127.0.0.9"]),
        ("::", True, ["::1"]),
    ],
)
def test_loopback_takes_the_place_of_other_addresses(
    world: World, host_ip: str | None, loopback: bool, wanted: list[str]
) -> None:
    network = world.network("n")
    (found,) = described_ports([port(80, 80, host_ip=host_ip, loopback=loopback)], {4: network})
    assert [one["host_ip"] for one in found["bindings"]] == wanted
    assert [one["host_ip"] for one in found["bindings"] if one["optional"]] == wanted[1:]


@pytest.mark.parametrize(
    ("host_ip", "loopback", "wanted"),
    [(None, False, ["0.0.0.0"]), (None, True, ["127.0.0.1"]), ("::1", False, [])],
)
def test_sctp_is_published_where_the_kernel_translates(
    world: World, host_ip: str | None, loopback: bool, wanted: list[str]
) -> None:
    asked = port(80, 80, protocol="sctp", host_ip=host_ip, loopback=loopback)
    (found,) = described_ports([asked], {4: world.network("n")})
    assert [(one["host_ip"], one["relayed"]) for one in found["bindings"]] == [
        (one, False) for one in wanted
    ]


def test_addresses_that_become_one_are_one_port(world: World) -> None:
    ports = [port(80, 80, host_ip=one, loopback=True) for one in ("127.0.0.1", "192.168.1.5")]
    assert len(described_ports(ports, {4: world.network("n")})) == 1


def test_loopback_goes_before_the_networks_own_address_and_opens_no_routed_one(
    world: World,
) -> None:
    bound = world.network("bound", options={HOST_BINDING: "192.168.1.5"})
    routed = world.network("routed", options={GATEWAY_MODES[4]: "routed"})
    for network, loopback, wanted, opened in (
        (bound, False, ["192.168.1.5"], []),
        (bound, True, ["127.0.0.1"], []),
        (routed, False, [], [4]),
        (routed, True, [], []),
    ):
        (found,) = described_ports([port(80, 80, loopback=loopback)], {4: network})
        assert [one["host_ip"] for one in found["bindings"]] == wanted
        assert found["opened"] == opened
