"""Host ports: reserved by binding."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.network import ports
from engine.network.port_holder import find_port_holder
from engine.network.ports import PortTaken
from tests.engine.network.world import blocked
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [needs_root, pytest.mark.usefixtures("host")]


def wish(
    first: int | None, last: int | None = None, protocol: str = "tcp", host_ip: str = "0.0.0.0"
) -> dict[str, Any]:
    """A port as in the launch record, on `host_ip`, or on all of IPv4 and IPv6 when that is ""."""
    published = None if first is None else [first, last or first]
    bindings = [
        {"host_ip": one, "relayed": ":" in one, "optional": not host_ip and ":" in one}
        for one in ([host_ip] if host_ip else ["0.0.0.0", "::"])
    ]
    return {"protocol": protocol, "bindings": bindings, "published": published, "target": 80}


@pytest.fixture
def taken() -> Iterator[int]:
    """A TCP port that somebody listens on, at 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def close(reservations: list[ports.Reservation]) -> None:
    for reservation in reservations:
        reservation.close()


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_reserved_port_is_nobody_elses_and_takes_nothing_in(protocol: str) -> None:
    held = ports.reserve([wish(8080, protocol=protocol)])
    with pytest.raises(PortTaken) as caught:
        ports.reserve([wish(8080, protocol=protocol, host_ip="127.0.0.1")])
    assert (caught.value.protocol, caught.value.port) == (protocol, 8080)
    assert blocked(None, "127.0.0.1", 8080, protocol=protocol)
    close(held)
    close(ports.reserve([wish(8080, protocol=protocol)]))


def test_tcp_and_udp_of_one_number_are_two_ports() -> None:
    close(ports.reserve([wish(8080), wish(8080, protocol="udp")]))


def test_of_a_range_the_first_free_one_is_taken(taken: int) -> None:
    reservations = ports.reserve([wish(taken, taken + 5), wish(taken, taken + 5)])
    first, second = (reservation.published for reservation in reservations)
    assert taken < first < second <= taken + 5
    close(reservations)


def test_a_range_that_is_taken_whole_is_said(taken: int) -> None:
    with pytest.raises(PortTaken):
        ports.reserve([wish(taken, taken)])


def test_a_free_port_is_found_and_never_one_that_is_asked_for_by_number() -> None:
    free, fixed = ports.reserve([wish(None), wish(40_000)])
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert low <= free.published <= high
    assert fixed.published == 40_000
    close([free, fixed])


def test_both_ip_versions_get_one_number() -> None:
    reservations = ports.reserve([wish(None, host_ip=""), wish(40_000, host_ip="")])
    assert len({one.published for one in reservations}) == 2
    assert [one.host_ip for one in reservations] == ["0.0.0.0", "::"] * 2
    close(reservations)


def test_a_number_that_is_taken_for_one_ip_version_is_taken() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(("::1", 8080))
        server.listen()
        with pytest.raises(PortTaken) as caught:
            ports.reserve([wish(8080, host_ip="")])
        assert caught.value.host_ip == "::"
        holder = find_port_holder("tcp", "::", 8080)
        assert holder is not None
        assert holder.pid == os.getpid()
        close(ports.reserve([wish(8080)]))


def test_when_one_is_taken_none_is_kept(taken: int) -> None:
    with pytest.raises(PortTaken):
        ports.reserve([wish(8080), wish(taken)])
    close(ports.reserve([wish(8080)]))


def test_an_address_of_another_machine_is_an_error_that_names_it() -> None:
    with pytest.raises(OSError, match=r"port 8080/tcp: 198\.51\.100\.1 is no address of"):
        ports.reserve([wish(8080, host_ip="198.51.100.1")])
