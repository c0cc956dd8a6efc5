"""Which subnet a network gets."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import NetworkProblem
from engine.network.ipam import (
    check_subnet,
    choose_gateway,
    choose_pools,
    ipv4_candidates,
    ipv6_site,
)
from engine.network.obstacles import Obstacle, choose_subnet, server_obstacles
from engine.network.spec import NetworkSpec, PoolSpec

SITE = ipv6_site("test")


def network(text: str) -> IPv4Network:
    return IPv4Network(text)


def chosen(obstacles: list[Obstacle]) -> IPv4Network:
    subnet = choose_subnet(obstacles, ipv4_candidates())
    assert isinstance(subnet, IPv4Network)
    return subnet


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
        subnet = chosen([Obstacle(one, "somebody") for one in taken])
    except NetworkProblem:
        assume(False)
    assert subnet.is_private
    assert not any(subnet.overlaps(one) for one in taken)


@given(st.lists(ranges, max_size=8))
def test_subnets_chosen_one_after_the_other_are_apart(taken: list[IPv4Network]) -> None:
    obstacles = [Obstacle(one, "somebody") for one in taken]
    found: list[IPv4Network] = []
    for _ in range(4):
        try:
            found.append(chosen(obstacles))
        except NetworkProblem:
            break
        obstacles.append(Obstacle(found[-1], "ours"))
    assert not any(a.overlaps(b) for a in found for b in found if a is not b)


def test_dockers_subnets_come_first_and_then_ten_thousand_smaller_ones() -> None:
    found = list(ipv4_candidates())
    assert {subnet.prefixlen for subnet in found[:30]} == {16, 20}
    assert found[30] == network("10.89.0.0/24")
    assert len(found) > 9_000


def test_when_all_is_taken_it_is_said_by_whom() -> None:
    all_pools = ("172.16.0.0/12", "192.168.0.0/16", "10.64.0.0/10")
    obstacles = [obstacle(one) for one in all_pools]
    obstacles += [Obstacle(network("172.16.0.0/12"), "a route, too")]
    with pytest.raises(NetworkProblem) as caught:
        chosen(obstacles)
    assert caught.value.code == "subnets-exhausted"
    users = [f"{one} by user of {one}" for one in all_pools]
    assert str(caught.value).endswith("subnetted: " + ", ".join(users))
    many = [Obstacle(one, "somebody") for one in ipv4_candidates()]
    with pytest.raises(NetworkProblem, match=r"somebody and \d+ more$"):
        chosen(many)


def test_a_route_by_a_gateway_is_avoided_only_while_there_is_room() -> None:
    vpn = obstacle("172.16.0.0/12", yields=True)
    assert chosen([vpn]) == network("192.168.0.0/20")
    assert chosen([vpn, obstacle("192.168.0.0/16")]) == network("10.89.0.0/24")
    taken = [obstacle("192.168.0.0/16"), obstacle("10.0.0.0/8")]
    assert chosen([vpn, *taken]) == network("172.18.0.0/16")


def test_resolvers_are_avoided() -> None:
    servers = server_obstacles(["172.18.0.53", "fd00::1", "nonsense", "127.0.0.53"])
    assert chosen(servers) == network("172.19.0.0/16")


def test_a_subnet_of_the_users_is_checked_against_other_networks_alone() -> None:
    def host() -> list[Obstacle]:
        raise AssertionError("not asked")

    spec = NetworkSpec(name="n", pools=(PoolSpec(subnet="10.5.0.7/24"),))
    (pool,) = choose_pools(spec, [], host, SITE)
    assert (pool.subnet, pool.gateway) == (network("10.5.0.0/24"), IPv4Address("10.5.0.1"))
    with pytest.raises(NetworkProblem, match="used by user of") as caught:
        check_subnet("10.5.0.0/24", [obstacle("10.0.0.0/8")], name="n")
    assert caught.value.code == "subnet-taken"


@pytest.mark.parametrize("wrong", ["", "10.5.0.0/33", "fd00::/127", "here", "10.5.0.0/31"])
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
    for ip_range in ("10.6.0.0/25", "fd00::/64"):
        spec = NetworkSpec(name="n", pools=(PoolSpec(subnet="10.5.0.0/24", ip_range=ip_range),))
        with pytest.raises(NetworkProblem, match="not part of"):
            choose_pools(spec, [], list, SITE)


def test_each_ip_version_that_is_enabled_has_a_pool() -> None:
    def versions(*, ipv4: bool = True, ipv6: bool = False) -> list[int]:
        pools = choose_pools(NetworkSpec(name="n", ipv4=ipv4, ipv6=ipv6), [], list, SITE)
        return [pool.family for pool in pools]

    assert versions() == [4]
    assert versions(ipv6=True) == [4, 6]
    assert versions(ipv4=False, ipv6=True) == [6]
    with pytest.raises(NetworkProblem, match="neither"):
        versions(ipv4=False)


def test_ipv6_subnets_are_unique_local_and_stay_with_their_engine() -> None:
    spec = NetworkSpec(name="n", ipv4=False, ipv6=True)
    (first,) = choose_pools(spec, [], list, SITE)
    (second,) = choose_pools(spec, [Obstacle(first.subnet, "network n")], list, SITE)
    assert first.subnet.prefixlen == second.subnet.prefixlen == 64
    assert first.subnet != second.subnet
    assert first.gateway in SITE
    assert SITE.subnet_of(IPv6Network("fd00::/8"))
    assert ipv6_site("one") == ipv6_site("one") != ipv6_site("other")
    assert str(first.gateway) == str(first.subnet.network_address + 1)


def test_two_subnets_of_one_ip_version_are_refused() -> None:
    pools = (PoolSpec(subnet="10.5.0.0/24"), PoolSpec(subnet="10.6.0.0/24"))
    with pytest.raises(NetworkProblem, match="both IPv4"):
        choose_pools(NetworkSpec(name="n", pools=pools), [], list, SITE)


@pytest.mark.parametrize("subnet", ["224.0.0.0/24", "127.1.0.0/16", "0.0.0.0/8", "ff05::/64"])
def test_a_subnet_that_nobody_can_have_an_address_of_is_refused(subnet: str) -> None:
    with pytest.raises(NetworkProblem, match="no addresses that a container could have"):
        check_subnet(subnet, [], name="n")


@pytest.mark.parametrize("gateway", [None, "10.5.0.9"])
def test_no_address_is_reserved_twice(gateway: str | None) -> None:
    for reserved in ({"nas": gateway or "10.5.0.1"}, {"nas": "10.5.0.7", "tv": "10.5.0.7"}):
        pool = PoolSpec(subnet="10.5.0.0/24", gateway=gateway, reserved=reserved)
        with pytest.raises(NetworkProblem, match=r"aux address (nas|tv) and .* are both 10\.5"):
            choose_pools(NetworkSpec(name="n", pools=(pool,)), [], list, SITE)


def test_a_reserved_address_must_be_one_of_the_subnet() -> None:
    pool = PoolSpec(subnet="10.5.0.0/24", reserved={"router": "10.6.0.1"})
    with pytest.raises(NetworkProblem, match=r"aux address `10\.6\.0\.1`"):
        choose_pools(NetworkSpec(name="n", pools=(pool,)), [], list, SITE)
