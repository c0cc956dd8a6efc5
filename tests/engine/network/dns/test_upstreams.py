"""Names that are not ours, and who is asked for them (engine.md B6.6 to B6.8, B6.11, B6.12)."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.kernel.namespaces import socket_in
from engine.network.dns import forward
from tests.engine.network.dns.resolver import (
    AAAA,
    FORMAT_ERROR,
    MX,
    NAME_ERROR,
    NO_ERROR,
    NOT_IMPLEMENTED,
    REFUSED,
    SERVER_FAILURE,
    A,
    Answer,
    Upstream,
    ask,
    query,
    resolve,
)
from tests.engine.network.world import PATIENCE_S
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.engine.network.world import Box, World

pytestmark = needs_root
SO_RCVBUFFORCE = 33  # include/uapi/asm-generic/socket.h


def test_other_names_go_to_the_hosts_resolver_as_they_are(lan: World, upstream: Upstream) -> None:
    asker = lan.run("asker", "app_front")
    packet = query("Example.ORG", edns_bytes=1400)
    answer = resolve(asker.sandbox.netns_fd, packet)
    assert answer.addresses == ["198.51.100.1"]
    assert upstream.asked == [("example.org", packet)]
    assert resolve(asker.sandbox.netns_fd, packet, tcp=True).addresses == ["198.51.100.1"]


@pytest.mark.parametrize("final", [NAME_ERROR, FORMAT_ERROR, NOT_IMPLEMENTED])
def test_every_other_answer_is_final(world: World, host_file: Path, final: int) -> None:
    host_file.write_text("nameserver 127.0.0.53\nnameserver 127.0.0.54\n")
    world.network("n")
    asker = world.run("asker", "n")
    with Upstream("127.0.0.53", rcode=final), Upstream("127.0.0.54") as second:
        for tcp in (False, True):
            assert resolve(asker.sandbox.netns_fd, query("no.such"), tcp=tcp).rcode == final
        assert second.asked == []


def test_three_are_asked_in_order_and_no_more(world: World, host_file: Path) -> None:
    addresses = [f"127.0.0.{n}" for n in (54, 53, 56, 55)]
    host_file.write_text("".join(f"nameserver {address}\n" for address in addresses))
    world.network("n")
    asker = world.run("asker", "n")
    order: list[str] = []
    with contextlib.ExitStack() as stack:
        for address in addresses:
            given = Upstream(address, rcode=SERVER_FAILURE, order=order)
            stack.enter_context(given)
        answer = resolve(asker.sandbox.netns_fd, query("example.org"))
    assert answer.rcode == SERVER_FAILURE
    assert order == addresses[:3]


def test_the_transport_is_the_clients(lan: World, upstream: Upstream) -> None:
    asker = lan.run("asker", "app_front")
    for tcp in (False, True, False):
        resolve(asker.sandbox.netns_fd, query("example.org"), tcp=tcp)
    assert upstream.transports == ["udp", "tcp", "udp"]


def test_an_upstream_may_have_an_ipv6_address(world: World, host_file: Path) -> None:
    host_file.write_text("nameserver ::1\n")
    world.network("n")
    asker = world.run("asker", "n")
    with Upstream("::1") as upstream:
        assert ask(asker, "example.org") == ["198.51.100.1"]
        resolve(asker.sandbox.netns_fd, query("example.org"), tcp=True)
        assert upstream.transports == ["udp", "tcp"]


def test_other_classes_are_not_ours(lan: World, upstream: Upstream) -> None:
    asker = lan.run("web", "app_front")
    packet = query("web", 16, network_class=3)  # CHAOS, TXT
    resolve(asker.sandbox.netns_fd, packet)
    assert upstream.asked == [("web", packet)]


def test_the_upstream_sees_the_askers_spelling(lan: World, upstream: Upstream) -> None:
    asker = lan.run("asker", "app_front")
    answer = resolve(asker.sandbox.netns_fd, query("eXamPle.OrG"))
    assert answer.spelling == b"\x07eXamPle\x03OrG\x00"


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("failing", ["absent", SERVER_FAILURE, REFUSED])
def test_a_failing_resolver_is_followed_by_the_next(
    world: World, host_file: Path, failing: str | int, tcp: bool
) -> None:
    host_file.write_text("nameserver 127.0.0.53\nnameserver 127.0.0.54\n")
    world.network("n")
    asker = world.run("asker", "n")
    with contextlib.ExitStack() as stack:
        if isinstance(failing, int):
            stack.enter_context(Upstream("127.0.0.53", rcode=failing))
        stack.enter_context(Upstream("127.0.0.54"))
        answer = resolve(asker.sandbox.netns_fd, query("example.org"), tcp=tcp)
    assert answer.addresses == ["198.51.100.1"]


def test_a_silent_resolver_is_waited_for_and_then_followed_by_the_next(
    world: World, host_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "TIMEOUT_S", 2.0)
    host_file.write_text("nameserver 127.0.0.53\nnameserver 127.0.0.54\n")
    world.network("n")
    asker = world.run("asker", "n")
    with (
        Upstream("127.0.0.53", rcode=None) as silent,
        Upstream("127.0.0.54"),
        asking(asker) as client,
    ):
        started_s = time.monotonic()
        client.send(query("example.org"))
        assert eventually(lambda: silent.names == ["example.org"])
        monkeypatch.setattr(forward, "TIMEOUT_S", PATIENCE_S)  # of the next one
        assert Answer(client.recv(512)).addresses == ["198.51.100.1"]
        assert time.monotonic() - started_s > 1.9


def test_nobody_to_ask_is_a_server_failure(world: World, host_file: Path) -> None:
    host_file.write_text("nameserver 127.0.0.53\n")
    world.network("n")
    asker = world.run("asker", "n")
    answer = resolve(asker.sandbox.netns_fd, query("example.org"))
    assert answer.rcode == SERVER_FAILURE


def test_a_new_resolver_of_the_host_is_followed(lan: World, host_file: Path) -> None:
    asker = lan.run("asker", "app_front")
    assert ask(asker, "one.example") == ["198.51.100.1"]
    with Upstream("127.0.0.99") as moved:
        host_file.write_text("nameserver 127.0.0.99\n")
        assert ask(asker, "two.example") == ["198.51.100.1"]
        assert moved.names == ["two.example"]


def test_a_file_that_is_replaced_or_led_elsewhere_is_followed(
    lan: World, upstream: Upstream, host_file: Path
) -> None:
    asker = lan.run("asker", "app_front")
    assert ask(asker, "one.example") == ["198.51.100.1"]
    with Upstream("127.0.0.98") as second, Upstream("127.0.0.99") as third:
        fresh = host_file.with_name("fresh")
        fresh.write_text("nameserver 127.0.0.98\n")
        fresh.replace(host_file)
        assert ask(asker, "two.example") == ["198.51.100.1"]
        behind = host_file.with_name("stub-resolv.conf")
        behind.write_text("nameserver 127.0.0.99\n")
        host_file.unlink()
        assert resolve(asker.sandbox.netns_fd, query("none.example")).rcode == SERVER_FAILURE
        host_file.symlink_to(behind)
        assert ask(asker, "three.example") == ["198.51.100.1"]
        assert (second.names, third.names) == (["two.example"], ["three.example"])
    assert upstream.names == ["one.example"]


def test_nobody_named_is_this_machine(world: World, host_file: Path) -> None:
    host_file.write_text("search lan\n")
    world.network("n")
    asker = world.run("asker", "n")
    with Upstream("127.0.0.1"):
        assert ask(asker, "example.org") == ["198.51.100.1"]


def test_our_own_address_given_by_the_user_is_never_asked(world: World, host_file: Path) -> None:
    world.network("n")
    asker = world.run("asker", "n", dns=("127.0.0.11",))
    answer = resolve(asker.sandbox.netns_fd, query("example.org"))
    assert answer.rcode == SERVER_FAILURE


def test_an_engine_around_ours_is_asked_at_the_same_address(world: World, host_file: Path) -> None:
    host_file.write_text("nameserver 127.0.0.11\n")  # as in a container of another engine
    world.network("n")
    asker = world.run("asker", "n")
    with Upstream("127.0.0.11") as outer:
        assert ask(asker, "example.org") == ["198.51.100.1"]
        assert outer.names == ["example.org"]


def test_resolvers_of_the_users_are_asked_from_the_container(
    lan: World, upstream: Upstream
) -> None:
    asker = lan.run("asker", "app_front", dns=("127.0.0.77",))
    with Upstream("127.0.0.77", netns_fd=asker.sandbox.netns_fd) as own:
        assert ask(asker, "example.org") == ["198.51.100.1"]
        assert own.names == ["example.org"]
    assert upstream.asked == []


def test_an_internal_network_does_not_ask_outside(lan: World, upstream: Upstream) -> None:
    lan.network("closed", internal=True)
    asker = lan.run("asker", "closed")
    answer = resolve(asker.sandbox.netns_fd, query("example.org"))
    assert answer.rcode == SERVER_FAILURE
    assert upstream.asked == []
    assert ask(asker, "asker") == [asker.address]


def test_an_internal_network_asks_those_that_the_user_gave(lan: World, upstream: Upstream) -> None:
    lan.network("closed", internal=True)
    server = lan.run("dns", "closed")
    asker = lan.run("asker", "closed", dns=(server.address,))
    with Upstream(server.address, netns_fd=server.sandbox.netns_fd) as own:
        assert ask(asker, "example.org") == ["198.51.100.1"]
        assert own.names == ["example.org"]
    assert upstream.asked == []


@pytest.mark.parametrize("by", ["dns_opt", "host"])
def test_with_ndots_set_a_bare_name_is_ours_alone(
    lan: World, upstream: Upstream, host_file: Path, by: str
) -> None:
    options: tuple[str, ...] = ("ndots:2",)
    if by == "host":
        host_file.write_text("nameserver 127.0.0.53\noptions edns0 ndots:1\n")
        options = ()
    asker = lan.run("asker", "app_front", dns_options=options)
    for kind in (A, AAAA):
        answer = resolve(asker.sandbox.netns_fd, query("nobody", kind))
        assert (answer.rcode, answer.count) == (NO_ERROR, 0)
    assert upstream.asked == []
    assert ask(asker, "no.body") == ["198.51.100.1"]
    resolve(asker.sandbox.netns_fd, query("nobody", MX))
    assert upstream.names == ["no.body", "nobody"]


def test_without_ndots_a_bare_name_is_asked_for(lan: World, upstream: Upstream) -> None:
    asker = lan.run("asker", "app_front", dns_options=("ndots:x",))
    assert ask(asker, "nobody") == ["198.51.100.1"]
    assert upstream.names == ["nobody"]


def test_large_answers_come_through(world: World, host_file: Path) -> None:
    host_file.write_text("nameserver 127.0.0.53\n")
    world.network("n")
    asker = world.run("asker", "n")
    with Upstream("127.0.0.53", size=4000):
        assert len(resolve(asker.sandbox.netns_fd, query("big.example")).packet) > 4000
    with Upstream("127.0.0.53", size=4000, truncate=True):
        assert resolve(asker.sandbox.netns_fd, query("big.example")).truncated
        whole = resolve(asker.sandbox.netns_fd, query("big.example"), tcp=True)
        assert len(whole.packet) > 4000


def asking(asker: Box) -> socket.socket:
    """A client of its server, with room for all the answers to more than a thousand queries."""
    client = socket_in(asker.sandbox.netns_fd, socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(PATIENCE_S)
    client.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
    client.connect(("127.0.0.11", 53))
    return client


def ask_many(asker: Box, client: socket.socket, count: int) -> None:
    for number in range(count):
        client.send(query(f"n{number}.example", number=number))
        if number % 50 == 0:  # not more than the server's buffer holds
            resolve(asker.sandbox.netns_fd, query("asker"))


def test_so_many_are_asked_at_once_as_many_wait_and_others_are_refused(
    world: World, host_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host_file.write_text("nameserver 127.0.0.53\n")
    world.network("n")
    asker = world.run("asker", "n")
    limit, more = 100, 50
    monkeypatch.setattr(forward, "IN_FLIGHT", limit)
    with Upstream("127.0.0.53", rcode=None) as upstream, asking(asker) as client:
        ask_many(asker, client, 2 * limit + more)
        assert [rcode(client.recv(512)) for _ in range(more)] == [REFUSED] * more
        assert eventually(lambda: len(upstream.asked) == limit)
        upstream.speak()
        assert {rcode(client.recv(512)) for _ in range(2 * limit)} == {NO_ERROR}
        assert len(upstream.asked) == 2 * limit
    assert ask(asker, "asker") == [asker.address]


def rcode(packet: bytes) -> int:
    return packet[3] & 0x0F


def test_those_who_wait_are_let_go_together_when_there_is_nobody_left_to_ask(
    world: World, host_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(forward, "IN_FLIGHT", 500)
    host_file.write_text("nameserver 127.0.0.53\n")
    world.network("n")
    asker = world.run("asker", "n")
    with Upstream("127.0.0.53", rcode=None), asking(asker) as client:
        ask_many(asker, client, 1000)
        host_file.write_text("nameserver 127.0.0.11\n")  # refused at once
        assert {rcode(client.recv(512)) for _ in range(1000)} <= {SERVER_FAILURE, REFUSED}
    assert ask(asker, "asker") == [asker.address]


def test_a_client_that_went_away_is_not_missed(lan: World, host_file: Path) -> None:
    asker = lan.run("asker", "app_front")
    packet = query("example.org")
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket_in(asker.sandbox.netns_fd, socket.AF_INET, kind) as client:
            client.connect(("127.0.0.11", 53))
            length = b"" if kind == socket.SOCK_DGRAM else len(packet).to_bytes(2, "big")
            client.sendall(length + packet)
    assert ask(asker, "asker") == [asker.address]


def test_nothing_stays_open_of_what_was_asked(lan: World, upstream: Upstream) -> None:
    asker = lan.run("asker", "app_front")
    ask(asker, "before.example")
    before = _descriptors()
    for number in range(20):
        ask(asker, f"n{number}.example")
    assert eventually(lambda: _descriptors() <= before)


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
