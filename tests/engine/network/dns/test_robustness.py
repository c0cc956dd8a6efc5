"""Whatever is sent to the server, or back from an upstream, it goes on answering."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernel.namespaces import socket_in
from engine.network.dns import connection
from tests.engine.network.dns.resolver import PTR, A, Upstream, ask, many_addresses, query
from tests.engine.network.world import PATIENCE_S
from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.network.world import Box, World

pytestmark = needs_root
SERVER = ("127.0.0.11", 53)

VALID = [
    query(name, kind) for name in ("asker", "no.body", "4.0.5.10.in-addr.arpa") for kind in (A, PTR)
] + [query("asker", edns_bytes=4096)]


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A query with some bytes changed, cut or added; or anything at all."""
    packet = bytearray(draw(st.sampled_from(VALID)))
    for place, value in draw(
        st.dictionaries(st.integers(0, 60), st.integers(0, 255), max_size=4)
    ).items():
        if place < len(packet):
            packet[place] = value
    cut = draw(st.integers(0, len(packet)))
    tail = draw(st.binary(max_size=40))
    return draw(st.sampled_from([bytes(packet), bytes(packet[:cut]), bytes(packet) + tail, tail]))


def client(box: Box, kind: int) -> socket.socket:
    opened = socket_in(box.sandbox.netns_fd, socket.AF_INET, kind)
    opened.settimeout(PATIENCE_S)
    opened.connect(SERVER)
    return opened


def test_any_datagram(lan: World) -> None:
    asker = lan.run("asker", "app_front")
    with client(asker, socket.SOCK_DGRAM) as opened:

        @settings(max_examples=300, deadline=None)
        @given(st.lists(broken(), min_size=1, max_size=5))
        def send(packets: list[bytes]) -> None:
            for packet in packets:
                opened.send(packet)
            assert ask(asker, "asker") == [asker.address]

        send()


def test_any_stream(lan: World) -> None:
    asker = lan.run("asker", "app_front")

    @settings(max_examples=100, deadline=None)
    @given(st.lists(broken(), min_size=1, max_size=5), st.booleans(), st.integers(1, 30))
    def send(packets: list[bytes], framed: bool, step: int) -> None:
        with client(asker, socket.SOCK_STREAM) as opened:
            for packet in packets:
                data = struct.pack(">H", len(packet)) + packet if framed else packet
                for start in range(0, len(data), step):
                    opened.sendall(data[start : start + step])
        assert ask(asker, "asker") == [asker.address]

    send()


def test_any_answer_of_an_upstream(lan: World, upstream: Upstream) -> None:
    """What is not an answer to the query is waited past; the rest is the client's to judge."""
    asker = lan.run("asker", "app_front")

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=40), st.booleans())
    def answer(tail: bytes, with_id: bool) -> None:
        upstream.raw = (query("x.example")[:2] + b"\x80\0" if with_id else b"") + tail
        with client(asker, socket.SOCK_DGRAM) as opened:
            opened.send(query("x.example"))
            assert ask(asker, "asker") == [asker.address]

    answer()
    upstream.raw = None
    assert ask(asker, "whole.example") == ["198.51.100.1"]


def test_who_asks_and_never_reads_is_cut_off(lan: World) -> None:
    asker = lan.run("asker", "app_front")
    many = many_addresses(asker, "web", (f"10.0.0.{n}" for n in range(100)))
    packet = query("web")
    questions = (struct.pack(">H", len(packet)) + packet) * 1000
    opened = client(asker, socket.SOCK_STREAM)
    with many, opened, pytest.raises(ConnectionError):
        _send(opened, questions, times=1000)
    assert ask(asker, "asker") == [asker.address]


def _send(opened: socket.socket, data: bytes, *, times: int) -> None:
    for _ in range(times):
        opened.sendall(data)


def test_more_connections_than_there_may_be_are_closed(lan: World) -> None:
    asker = lan.run("asker", "app_front")
    opened = [client(asker, socket.SOCK_STREAM) for _ in range(40)]
    try:
        packet = query("asker")
        opened[0].sendall(struct.pack(">H", len(packet)) + packet)
        assert opened[0].recv(2)
        assert opened[-1].recv(1) == b""
    finally:
        for one in opened:
            one.close()
    with client(asker, socket.SOCK_STREAM):
        assert ask(asker, "asker") == [asker.address]


def test_an_idle_connection_is_closed(lan: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asker = lan.run("asker", "app_front")
    packet = query("asker")
    with client(asker, socket.SOCK_STREAM) as opened:
        opened.sendall(struct.pack(">H", len(packet)) + packet)
        assert opened.recv(2)
        monkeypatch.setattr(connection, "IDLE_S", 0.2)  # after the next one
        opened.sendall(struct.pack(">H", len(packet)) + packet)
        while opened.recv(512):
            pass
