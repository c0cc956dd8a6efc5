"""/etc/hosts of a container, and the names that its host has (engine.md A8.3 to A8.5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.network.hosts import HOST_NAMES, has_ipv6_loopback, host_names, hosts_file

HOST = "host-gateway"


def endpoint(*pairs: tuple[str, str], rank: int = 0, host: bool = True) -> dict[str, Any]:
    """pairs   (address, gateway); host: whether the gateway is"""
    places = [{"address": a, "gateway": g, "gateway_is_host": host} for a, g in pairs]
    return {"addresses": places, "rank": rank}


ONE = endpoint(("10.5.0.2", "10.5.0.1"))
DUAL = endpoint(("10.5.0.2", "10.5.0.1"), ("fd00:5::2", "fd00:5::1"))
LAN = endpoint(("192.0.2.20", "192.0.2.1"), rank=-1, host=False)  # macvlan: not the host's


def record(
    *endpoints: dict[str, Any],
    mode: str = "sandbox",
    extra: tuple[tuple[str, str], ...] = (),
    **given: Any,
) -> dict[str, Any]:
    named = {"hostname": "web", "domainname": None, "ipv6_loopback": True, **given}
    there = {"endpoints": endpoints, "extra_hosts": extra, "linked": []}
    return {"mode": mode, **there, **named}


def test_hosts_holds_localhost_then_the_users_then_its_own_names() -> None:
    extra = (("db", "192.0.2.7"), ("six", "[fd00::1]"), ("me", HOST))
    second = endpoint(("10.6.0.2", "10.6.0.1"), rank=1)
    lines = hosts_file(record(ONE, second, extra=extra)).splitlines()
    assert lines[:3] == [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::\tip6-localnet",
    ]
    assert lines[-5:] == [
        "192.0.2.7\tdb",
        "fd00::1\tsix",
        "10.5.0.1\tme",
        "10.5.0.2\tweb",
        "10.6.0.2\tweb",
    ]


def test_each_address_has_its_line_and_the_host_has_one_for_each_family() -> None:
    lines = hosts_file(record(DUAL, extra=(("me", HOST),))).splitlines()
    assert lines[-4:] == ["10.5.0.1\tme", "fd00:5::1\tme", "10.5.0.2\tweb", "fd00:5::2\tweb"]


@pytest.mark.parametrize("sysctl", ["all", "lo"])
def test_without_ipv6_there_is_no_ipv6_localhost(sysctl: str) -> None:
    assert not has_ipv6_loopback({f"net.ipv6.conf.{sysctl}.disable_ipv6": 1})
    assert has_ipv6_loopback({}) == Path("/proc/net/if_inet6").exists()
    assert "ip6" not in hosts_file(record(ONE, ipv6_loopback=False))


@pytest.mark.parametrize(
    ("hostname", "domainname", "line"),
    [
        ("web", "example.org", "10.5.0.2\tweb.example.org web"),
        ("web.example.org", None, "10.5.0.2\tweb.example.org web"),
    ],
)
def test_a_name_with_a_domain_is_there_without_it_too(
    hostname: str, domainname: str | None, line: str
) -> None:
    text = hosts_file(record(ONE, hostname=hostname, domainname=domainname))
    assert text.splitlines()[-1] == line


def test_in_the_hosts_network_the_file_is_the_hosts() -> None:
    assert hosts_file(record(mode="host")) == Path("/etc/hosts").read_text()
    given = hosts_file(record(mode="host", extra=(("x", "192.0.2.1"), ("me", HOST))))
    assert given.splitlines()[-2:] == ["192.0.2.1\tx", "127.0.0.1\tme"]


def test_the_host_is_the_gateway_of_a_network_whose_router_it_is() -> None:
    assert host_names(record(LAN, DUAL)) == {name: ["10.5.0.1", "fd00:5::1"] for name in HOST_NAMES}


@pytest.mark.parametrize(
    "shown", [record(LAN, extra=(("me", HOST),)), record(extra=(("me", HOST),))]
)
def test_a_container_that_cannot_reach_the_host_is_not_told_that_it_can(
    shown: dict[str, Any],
) -> None:
    assert host_names(shown) == {}
    text = hosts_file({**shown, "mode": "none"})
    assert "# me: this container has no way to the host\n" in text
    assert "\tme" not in text


def test_what_the_user_says_of_the_hosts_name_counts() -> None:
    extra = (("Host.Docker.Internal", "192.0.2.1"), ("host.docker.internal", "2001:db8::1"))
    assert host_names(record(ONE, extra=extra)) == {
        "host.docker.internal": ["192.0.2.1", "2001:db8::1"],
        "gateway.docker.internal": ["10.5.0.1"],
    }
