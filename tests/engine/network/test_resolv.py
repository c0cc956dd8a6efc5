"""/etc/resolv.conf of the host and of a container (engine.md B6.1, B6.9, B6.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.spec import ContainerSpec
from engine.network import resolv
from engine.network.resolv import parse, read_behind_resolved, resolv_conf

if TYPE_CHECKING:
    from pathlib import Path


def record(*addresses: str, mode: str = "sandbox", embedded: bool = True) -> dict[str, Any]:
    endpoints = [{"addresses": [{"address": one}]} for one in addresses]
    return {"mode": mode, "endpoints": endpoints, "dns": {"embedded": embedded}}


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


def test_where_we_do_not_answer_those_behind_systemd_resolved_are_named(
    host_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = host_file.with_name("behind.conf")
    monkeypatch.setattr(resolv, "RESOLVED_FILE", str(behind))
    assert read_behind_resolved().nameservers == ()
    behind.write_text("nameserver 192.0.2.53\nnameserver 2001:db8::53\n")
    shown = resolv_conf(record(mode="none"), spec()).splitlines()
    assert shown[:2] == ["nameserver 192.0.2.53", "search lan"]
    dual = record("172.17.0.2", "fd00::2", embedded=False)
    shown = resolv_conf(dual, spec()).splitlines()
    assert shown[:2] == ["nameserver 192.0.2.53", "nameserver 2001:db8::53"]
    assert "127.0.0.53 (" in resolv_conf(record("10.5.0.2"), spec())  # asked from the host
    host_file.write_text("nameserver 127.0.0.1\n")
    assert "8.8.8.8" in resolv_conf(record(mode="none"), spec())
    assert "2001:4860" not in resolv_conf(record(mode="none"), spec())
    assert "2001:4860" in resolv_conf(dual, spec())
    given = spec(dns=("127.0.0.1", "2001:db8::1"))  # somebody may listen there
    shown = resolv_conf(record("172.17.0.2", embedded=False), given).splitlines()
    assert shown[:2] == ["nameserver 127.0.0.1", "nameserver 2001:db8::1"]


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
    assert found.others == ("sortlist 1",)


def test_what_is_not_understood_is_copied(host_file: Path) -> None:
    host_file.write_text("nameserver 192.0.2.1\nsortlist 192.0.2.0\nfamily inet4\n")
    for shown in (record("10.5.0.2"), record(mode="none"), record(mode="host")):
        assert "sortlist 192.0.2.0\nfamily inet4\n" in resolv_conf(shown, spec())


def test_a_name_server_is_an_address() -> None:
    text = "".join(
        f"nameserver {word}\n"
        for word in ("dns.example", "192.0.2", "2001:db8::1", "fe80::1%eth0", "1.2.3.4%x", "::g")
    )
    assert parse(text).nameservers == ("2001:db8::1", "fe80::1%eth0")


def test_nobody_named_is_this_machine() -> None:
    assert parse("search lan\n").upstreams == ("127.0.0.1",)
    assert parse("nameserver 192.0.2.1\n").upstreams == ("192.0.2.1",)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    parse(text)
