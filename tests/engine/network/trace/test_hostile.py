"""What a container can send to whoever traces it."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.namespaces import open_own, socket_in
from engine.network.topology.routes import default_routes
from engine.network.trace import lookup
from engine.network.trace.capture import Capture
from engine.network.trace.lookup import SERVER, look_up
from engine.network.trace.packets import Sender, parse_packet
from engine.network.trace.route import FoundRoute, find_route
from tests.engine.network.world import PATIENCE_S, run
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.network.trace.facts import Packet, Protocol

IPV4_ICMP_ERROR = bytes([0x45, *[0] * 8, 1, *[0] * 10, 3, *[0] * 7])
IPV6_ICMP_ERROR = bytes([0x60, *[0] * 5, 58, *[0] * 33, 1, *[0] * 7])


@given(
    nesting=st.lists(st.sampled_from([IPV4_ICMP_ERROR, IPV6_ICMP_ERROR]), max_size=60),
    rest=st.one_of(
        st.binary(max_size=80),
        st.builds(bytes.__add__, st.sampled_from([b"\x45", b"\x60"]), st.binary(max_size=80)),
    ),
)
def test_a_packet_is_read_or_it_is_not(nesting: list[bytes], rest: bytes) -> None:
    found = parse_packet(b"".join(nesting) + rest)
    assert found is None or 0 <= found.port <= 65_535


@needs_root
def test_echoes_of_others_are_not_taken_for_ours(host: None) -> None:
    fd = open_own("net")
    with (
        closing(sender(fd)) as ours,
        closing(sender(fd)) as theirs,
        closing(Capture("here", fd, ours.flow)) as capture,
    ):
        for one in (theirs, ours, theirs):
            assert one.send() is None
        seen: list[Packet] = []

        def has_both() -> bool:
            seen.extend(sighting.packet for sighting in capture.sightings())
            return {packet.what for packet in seen} == {"echo", "echo reply"}

        assert eventually(has_both)
    os.close(fd)
    assert {packet.port for packet in seen} == {ours.flow.source_port}


@needs_root
@pytest.mark.parametrize("name", [b"\xff\xfe", "é\u2003".encode(), b"a\x1cb"])
def test_a_link_may_be_called_anything(host: None, name: bytes) -> None:
    run("ip", "link", "add", os.fsdecode(name), "type", "bridge")
    run("ip", "address", "add", "10.7.0.1/24", "dev", os.fsdecode(name))
    run("ip", "link", "set", os.fsdecode(name), "up")
    run("ip", "route", "add", "default", "dev", os.fsdecode(name))
    known = ("10.7.0.9", "lladdr", "02:00:00:00:00:01", "dev", os.fsdecode(name))
    run("ip", "neighbour", "add", *known)
    shown = name.decode(errors="replace")
    assert default_routes(threading.get_native_id())[4] == {shown}
    fd = open_own("net")
    try:
        route = find_route(fd, "198.51.100.1")
        assert isinstance(route, FoundRoute)
        assert route.link == shown
        with (
            closing(Sender(fd, "icmp", "10.7.0.1", "10.7.0.9", 0)) as sender,
            closing(Capture("here", fd, sender.flow)) as capture,
        ):
            assert sender.send() is None
            seen = [] if "\N{REPLACEMENT CHARACTER}" in shown else [shown]
            assert [one.link for one in capture.sightings()] == seen
    finally:
        os.close(fd)


@needs_root
@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_a_sender_without_its_address_leaves_nothing_open(host: None, protocol: Protocol) -> None:
    fd = open_own("net")
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    try:
        with pytest.raises(OSError, match="assign requested address"):
            Sender(fd, protocol, "192.0.2.1", "127.0.0.1", 80)
        assert os.listdir("/proc/self/fd") == before  # noqa: PTH208
    finally:
        os.close(fd)


def sender(fd: int) -> Sender:
    return Sender(fd, "icmp", "127.0.0.1", "127.0.0.1", 0)


@pytest.fixture
def server(host: None) -> Iterator[socket.socket]:
    """In the place of the name server, in a namespace of its own."""
    run("ip", "address", "add", f"{SERVER}/32", "dev", "lo")
    fd = open_own("net")
    with socket_in(fd, socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((SERVER, 53))
        yield server
    os.close(fd)


@needs_root
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0",
        b"\0\0\x81\x80\0\1\0\1\0\0\0\0",
        b"\0\0\x81\x80\0\1\xff\xff\0\0\0\0\1a\0\0\1\0\1" + b"\xff" * 40,
        b"\0\0\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\0\0\3abc",
    ],
)
def test_what_is_no_answer_is_an_error(
    server: socket.socket, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "_PATIENCE_S", PATIENCE_S)

    def reply() -> None:
        _, asker = server.recvfrom(512)
        server.sendto(answer, asker)

    answering = threading.Thread(target=reply)
    answering.start()
    fd = open_own("net")
    try:
        with pytest.raises(OSError, match="no answer"):
            look_up(fd, "a", 4)
    finally:
        os.close(fd)
        answering.join()
