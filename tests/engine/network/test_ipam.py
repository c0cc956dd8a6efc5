"""Which subnet a network gets."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import NetworkProblem
from engine.network.ipam import (
    Obstacle,
    check_subnet,
    choose_gateway,
    choose_pool,
    choose_subnet,
    server_obstacles,
)
from engine.network.spec import NetworkSpec


def network(text: str) -> IPv4Network:
    return IPv4Network(text)


def obstacle(text: str, *, yields: bool = False) -> Obstacle:
    return Obstacle(network(text), f"user of {text}", yields=yields)


ranges = st.builds(
    lambda address, length: IPv4Network((int(address), length), strict=False),
    st.one_of(st.ip_addresses(v=4, network="172.16.0.0/12"), st.ip_addresses(v=4)),
    st.integers(11, 32),
)


@given(st.lists(ranges, max_size=20))
def test_a_chosen_subnet_meets_no_obstacle_and_is_private(taken: list[IPv4Network]) -> None:
    try:
        subnet = choose_subnet([Obstacle(one, "somebody") for one in taken])
    except NetworkProblem:
        assume(False)
    assert subnet.is_private
    assert not any(subnet.overlaps(one) for one in taken)


@given(st.lists(ranges, max_size=8))
def test_subnets_chosen_one_after_the_other_are_apart(taken: list[IPv4Network]) -> None:
    obstacles = [Obstacle(one, "somebody") for one in taken]
    chosen: list[IPv4Network] = []
    for _ in range(4):
        try:
            chosen.append(choose_subnet(obstacles))
        except NetworkProblem:
            break
        obstacles.append(Obstacle(chosen[-1], "ours"))
    assert not any(a.overlaps(b) for a in chosen for b in chosen if a is not b)


def test_there_is_room_for_thirty_networks_and_then_it_is_said_who_has_them() -> None:
    obstacles: list[Obstacle] = []
    for number in range(30):
        obstacles.append(Obstacle(choose_subnet(obstacles), f"network n{number}"))
    with pytest.raises(NetworkProblem, match="by network n0") as caught:
        choose_subnet(obstacles)
    assert caught.value.code == "subnets-exhausted"


def test_a_route_by_a_gateway_is_avoided_only_while_there_is_room() -> None:
    vpn = obstacle("172.16.0.0/12", yields=True)
    assert choose_subnet([vpn]) == network("192.168.0.0/20")
    assert choose_subnet([vpn, obstacle("192.168.0.0/16")]) == network("172.18.0.0/16")


def test_resolvers_are_avoided() -> None:
    servers = server_obstacles(["172.18.0.53", "fd00::1", "nonsense", "127.0.0.53"])
    assert choose_subnet(servers) == network("172.19.0.0/16")


def test_a_subnet_of_the_users_is_checked_against_other_networks_alone() -> None:
    def host() -> list[Obstacle]:
        raise AssertionError("not asked")

    pool = choose_pool(NetworkSpec(name="n", subnet="10.5.0.7/24"), [], host)
    assert (pool.subnet, pool.gateway) == (network("10.5.0.0/24"), IPv4Address("10.5.0.1"))
    with pytest.raises(NetworkProblem, match="used by user of") as caught:
        check_subnet("10.5.0.0/24", [obstacle("10.0.0.0/8")], name="n")
    assert caught.value.code == "subnet-taken"


@pytest.mark.parametrize("wrong", ["", "10.5.0.0/33", "fd00::/64", "here", "10.5.0.0/31"])
def test_a_subnet_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(NetworkProblem) as caught:
        check_subnet(wrong, [], name="n")
    assert caught.value.code == "subnet-invalid"


def test_the_gateway_is_the_first_of_the_range() -> None:
    subnet = network("10.5.0.0/24")
    assert str(choose_gateway(None, subnet, None, name="n")) == "10.5.0.1"
    assert str(choose_gateway(None, subnet, network("10.5.0.128/25"), name="n")) == "10.5.0.128"
    assert str(choose_gateway("10.5.0.254", subnet, None, name="n")) == "10.5.0.254"
    for wrong in ("10.6.0.1", "10.5.0.0", "10.5.0.255", "x"):
        with pytest.raises(NetworkProblem):
            choose_gateway(wrong, subnet, None, name="n")


def test_a_range_outside_of_the_subnet_is_refused() -> None:
    spec = NetworkSpec(name="n", subnet="10.5.0.0/24", ip_range="10.6.0.0/25")
    with pytest.raises(NetworkProblem, match="not part of"):
        choose_pool(spec, [], list)
