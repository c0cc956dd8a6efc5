"""/etc/hosts and /etc/resolv.conf of a container (engine.md A8, B6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.spec import ContainerSpec
from engine.network import resolv
from engine.network.resolv import hosts_file, parse, resolv_conf

if TYPE_CHECKING:
    from pathlib import Path


def record(*addresses: str, mode: str = "sandbox", **given: Any) -> dict[str, Any]:
    endpoints = [
        {"addresses": [{"address": address, "gateway": "10.5.0.1"}], "rank": rank}
        for rank, address in enumerate(addresses)
    ]
    named = {"hostname": "web", "domainname": None, **given}
    return {"mode": mode, "endpoints": endpoints, **named}


def spec(**given: Any) -> ContainerSpec:
    return ContainerSpec(name="web", image="", **given)


@pytest.fixture(autouse=True)
def host_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.53\nsearch lan\noptions edns0 ndots:x\n")
    monkeypatch.setattr(resolv, "HOST_FILE", str(path))
    return path


def test_a_container_on_a_network_asks_us() -> None:
    text = resolv_conf(record("10.5.0.2"), spec())
    assert text.splitlines()[:3] == [
        "nameserver 127.0.0.11",
        "search lan",
        "options edns0 ndots:0",
    ]
    assert "127.0.0.53" in text.splitlines()[3]


def test_what_the_user_gave_goes_before_the_hosts() -> None:
    given = spec(dns=("192.0.2.1",), dns_search=("a.example", "b"), dns_options=("ndots:2",))
    assert resolv_conf(record("10.5.0.2"), given).splitlines()[:3] == [
        "nameserver 127.0.0.11",
        "search a.example b",
        "options ndots:2",
    ]


def test_a_dot_is_no_search_at_all() -> None:
    text = resolv_conf(record("10.5.0.2"), spec(dns_search=(".",)))
    assert not any(line.startswith("search") for line in text.splitlines())


def test_without_networks_the_hosts_servers_are_named_less_its_loopback(host_file: Path) -> None:
    host_file.write_text("nameserver 127.0.0.53\nnameserver 192.0.2.1\n")
    assert resolv_conf(record(mode="none"), spec()) == "nameserver 192.0.2.1\n"
    assert resolv_conf(record(mode="host"), spec()).splitlines()[0] == "nameserver 127.0.0.53"
    host_file.write_text("nameserver 127.0.0.53\n")
    assert resolv_conf(record(mode="none"), spec()).splitlines()[0] == "nameserver 8.8.8.8"


def test_a_host_without_the_file_has_no_servers(host_file: Path) -> None:
    host_file.unlink()
    assert resolv_conf(record("10.5.0.2"), spec()).startswith("nameserver 127.0.0.11\n")


def test_a_changed_file_is_read_again(host_file: Path) -> None:
    assert resolv.read_host().search == ("lan",)
    host_file.write_text("search other\n")
    assert resolv.read_host().search == ("other",)


def test_the_last_search_wins_and_options_add_up() -> None:
    found = parse(
        "# nameserver 1.1.1.1\n;x\nnameserver 192.0.2.1 x\ndomain a\nsearch b c\n"
        "options ndots:2\noptions rotate\nsortlist 1\nnameserver\n"
    )
    assert (found.nameservers, found.search) == (("192.0.2.1",), ("b", "c"))
    assert found.options == ("ndots:2", "rotate")
    assert found.sets_ndots


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    parse(text)


def test_hosts_holds_localhost_then_the_users_then_its_own_names() -> None:
    extra = [("db", "192.0.2.7"), ("six", "[fd00::1]"), ("me", "host-gateway")]
    lines = hosts_file(record("10.5.0.2", "10.6.0.2"), extra).splitlines()
    assert lines[0] == "127.0.0.1\tlocalhost"
    assert lines[-5:] == [
        "192.0.2.7\tdb",
        "fd00::1\tsix",
        "10.5.0.1\tme",
        "10.5.0.2\tweb",
        "10.6.0.2\tweb",
    ]


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
    text = hosts_file(record("10.5.0.2", hostname=hostname, domainname=domainname), [])
    assert text.splitlines()[-1] == line


def test_in_the_hosts_network_the_file_is_the_hosts() -> None:
    with open("/etc/hosts", encoding="utf-8") as file:  # noqa: PTH123
        assert hosts_file(record(mode="host"), []) == file.read()
    assert "127.0.0.1\tx" in hosts_file(record(mode="host"), [("x", "127.0.0.1")])
