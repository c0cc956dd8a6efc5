"""What a container is told when it asks for a name (engine.md B6)."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from engine.containers.spec import EndpointSpec
from engine.kernel.namespaces import socket_in
from engine.network import names, resolv
from engine.network.dns import forward
from engine.network.dns.server import TTL_S
from tests.engine.network.resolver import AAAA, MX, PTR, A, Upstream, query, resolve
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.network.world import Box, World

pytestmark = needs_root
NO_ERROR, SERVER_FAILURE, NAME_ERROR, REFUSED = 0, 2, 3, 5


@pytest.fixture
def host_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's resolv.conf, which names 127.0.0.53."""
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr(resolv, "HOST_FILE", str(path))
    return path


@pytest.fixture
def upstream(host_file: Path, host: None) -> Iterator[Upstream]:
    with Upstream("127.0.0.53") as upstream:
        yield upstream


@pytest.fixture
def lan(upstream: Upstream, world: World) -> World:
    """Two networks, and an upstream of the host."""
    world.network("app_front")
    world.network("app_back")
    return world


def ask(box: Box, name: str, kind: int = A) -> list[str]:
    answer = resolve(box.sandbox.netns_fd, query(name, kind))
    assert answer.rcode == NO_ERROR
    return answer.addresses


def service(network: str, *aliases: str) -> EndpointSpec:
    return EndpointSpec(network=network, aliases=aliases)


def test_a_container_has_its_name_its_aliases_its_id_and_its_hostname(lan: World) -> None:
    web = lan.run("app-web-1", service("app_front", "web", "www"))
    asker = lan.run("asker", "app_front")
    for name in ("app-web-1", "web", "www", web.id[:12], "WEB", "web.app_front", "Www.App_Front"):
        assert ask(asker, name) == [web.address], name
    answer = resolve(asker.sandbox.netns_fd, query("web"))
    assert answer.recursion_available
    assert not answer.authoritative
    assert answer.ttl_s == TTL_S


def test_the_answer_spells_the_name_as_the_asker_did(lan: World) -> None:
    asker = lan.run("web", "app_front")
    assert resolve(asker.sandbox.netns_fd, query("wEb")).spelling == b"\x03wEb\x00"


def test_replicas_take_turns(lan: World) -> None:
    addresses = {lan.run(f"web-{n}", service("app_front", "web")).address for n in range(3)}
    asker = lan.run("asker", "app_front")
    answers = [tuple(ask(asker, "web")) for _ in range(6)]
    assert all(set(answer) == addresses for answer in answers)
    assert {answer[0] for answer in answers} == addresses


def test_names_come_and_go_with_their_containers(lan: World, upstream: Upstream) -> None:
    asker = lan.run("asker", "app_front")
    assert ask(asker, "web") == ["198.51.100.1"]  # not ours yet: what the upstream says
    web = lan.run("web", "app_front")
    assert ask(asker, "web") == [web.address]
    web.sandbox.deregister()
    assert ask(asker, "web") == ["198.51.100.1"]
    web.sandbox.register()
    assert ask(asker, "web") == [web.address]
    lan.stop(web)
    assert ask(asker, "web") == ["198.51.100.1"]


def test_a_name_without_such_an_address_is_empty_and_is_not_forwarded(
    lan: World, upstream: Upstream
) -> None:
    asker = lan.run("db", "app_front")
    for kind in (AAAA, MX, 65, 255 + 2):
        answer = resolve(asker.sandbox.netns_fd, query("db", kind))
        assert (answer.rcode, answer.count) == (NO_ERROR, 0)
    assert upstream.asked == []


def test_the_first_network_that_knows_a_name_wins(lan: World) -> None:
    front = lan.run("x-1", service("app_front", "twin"))
    back = lan.run("x-2", service("app_back", "twin"))
    asker = lan.run("asker", EndpointSpec(network="app_front", gw_priority=1), "app_back")
    assert ask(asker, "twin") == [front.address]
    assert ask(asker, "twin.app_back") == [back.address]


def test_other_networks_are_not_looked_into(lan: World, upstream: Upstream) -> None:
    lan.run("secret", "app_back")
    asker = lan.run("asker", "app_front")
    for name in ("secret", "secret.app_back"):
        assert ask(asker, name) == ["198.51.100.1"]


def test_a_link_is_seen_by_the_one_who_has_it_and_goes_first(lan: World) -> None:
    mysql = lan.run("app-mysql-1", "app_front")
    other = lan.run("other", service("app_front", "db"))
    linked = lan.run("tomcat", EndpointSpec(network="app_front", links=(("db", "app-mysql-1"),)))
    assert ask(linked, "db") == [mysql.address]
    assert ask(linked, "DB.app_front") == [mysql.address]
    assert ask(other, "db") == [other.address]


def test_an_address_is_looked_up_backwards(lan: World, upstream: Upstream) -> None:
    web = lan.run("app-web-1", service("app_front", "web"))
    reverse = ".".join(reversed(web.address.split("."))) + ".in-addr.arpa"
    answer = resolve(web.sandbox.netns_fd, query(reverse, PTR))
    assert answer.data == [b"\x09app-web-1\x09app_front\x00"]
    resolve(web.sandbox.netns_fd, query("1.2.0.192.in-addr.arpa", PTR))
    assert upstream.names == ["1.2.0.192.in-addr.arpa"]


def test_more_addresses_than_fit_are_said_to_be_cut_and_come_whole_over_tcp(lan: World) -> None:
    addresses = set()
    for number in range(40):
        _, record = lan.record(f"web-{number}", service("app_front", "web"))
        addresses.add(record["endpoints"][0]["addresses"][0]["address"])
    asker = lan.run("asker", "app_front")
    _fill(asker, addresses)
    fd = asker.sandbox.netns_fd
    cut = resolve(fd, query("web"))
    assert cut.truncated
    assert 0 < len(cut.addresses) < 40
    assert len(cut.packet) <= 512
    assert set(resolve(fd, query("web", edns_bytes=4096)).addresses) == addresses
    assert set(resolve(fd, query("web"), tcp=True).addresses) == addresses
    names.keep(_directory(asker), lambda entry: entry.container_id == asker.id)


def _directory(box: Box) -> str:
    return str(box.record["endpoints"][0]["directory"])


def _fill(box: Box, addresses: set[str]) -> None:
    for number, address in enumerate(addresses):
        entry = names.Entry(
            addresses=(address,),
            container_id=f"{number:064x}",
            holder=names.identity(os.getpid()),
            link="none",
            names=("web",),
        )
        names.put(_directory(box), entry)


def test_several_questions_on_one_tcp_connection(lan: World) -> None:
    asker = lan.run("web", "app_front")
    packet = query("web")
    framed = len(packet).to_bytes(2, "big") + packet
    with socket_in(asker.sandbox.netns_fd, socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.11", 53))
        client.sendall(framed + framed[:7])
        with client.makefile("rb") as stream:
            first = stream.read(int.from_bytes(stream.read(2), "big"))
            client.sendall(framed[7:])
            assert stream.read(int.from_bytes(stream.read(2), "big")) == first


def test_broken_queries_are_dropped_and_the_server_lives_on(lan: World) -> None:
    asker = lan.run("web", "app_front")
    with socket_in(asker.sandbox.netns_fd, socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.11", 53))
        for broken in (b"", b"\0", b"x" * 11, query("web")[:-1], b"\xff" * 600):
            client.send(broken)
    assert ask(asker, "web") == [asker.address]


def test_a_container_may_serve_port_53_itself(lan: World) -> None:
    asker = lan.run("dns", "app_front")
    with Upstream("0.0.0.0", netns_fd=asker.sandbox.netns_fd) as own:
        assert ask(asker, "dns") == [asker.address]
        assert own.asked == []


# -- other names


def test_other_names_go_to_the_hosts_resolver_as_they_are(lan: World, upstream: Upstream) -> None:
    asker = lan.run("asker", "app_front")
    packet = query("Example.ORG", edns_bytes=1400)
    answer = resolve(asker.sandbox.netns_fd, packet)
    assert answer.addresses == ["198.51.100.1"]
    assert upstream.asked == [("example.org", packet)]
    assert resolve(asker.sandbox.netns_fd, packet, tcp=True).addresses == ["198.51.100.1"]


def test_nxdomain_is_final(world: World, host_file: Path) -> None:
    host_file.write_text("nameserver 127.0.0.53\nnameserver 127.0.0.54\n")
    world.network("n")
    asker = world.run("asker", "n")
    with Upstream("127.0.0.53", rcode=NAME_ERROR), Upstream("127.0.0.54") as second:
        assert resolve(asker.sandbox.netns_fd, query("no.such")).rcode == NAME_ERROR
        assert second.asked == []


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
    monkeypatch.setattr(forward, "TIMEOUT_S", 0.3)
    host_file.write_text("nameserver 127.0.0.53\nnameserver 127.0.0.54\n")
    world.network("n")
    asker = world.run("asker", "n")
    with Upstream("127.0.0.53", rcode=None), Upstream("127.0.0.54"):
        started_s = time.monotonic()
        assert ask(asker, "example.org") == ["198.51.100.1"]
        assert 0.25 < time.monotonic() - started_s < 2


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


def test_our_own_address_is_never_an_upstream(world: World, host_file: Path) -> None:
    host_file.write_text("nameserver 127.0.0.11\n")
    world.network("n")
    asker = world.run("asker", "n")
    answer = resolve(asker.sandbox.netns_fd, query("example.org"))
    assert answer.rcode == SERVER_FAILURE


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


def test_with_ndots_set_a_bare_name_is_ours_alone(lan: World, upstream: Upstream) -> None:
    asker = lan.run("asker", "app_front", dns_options=("ndots:2",))
    for kind in (A, AAAA):
        answer = resolve(asker.sandbox.netns_fd, query("nobody", kind))
        assert (answer.rcode, answer.count) == (NO_ERROR, 0)
    assert upstream.asked == []
    assert ask(asker, "no.body") == ["198.51.100.1"]


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


def test_too_many_at_once_wait_and_are_refused_in_the_end(
    world: World, host_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(forward, "IN_FLIGHT", 2)
    host_file.write_text("nameserver 127.0.0.53\n")
    world.network("n")
    asker = world.run("asker", "n")
    with (
        Upstream("127.0.0.53", rcode=None),
        socket_in(asker.sandbox.netns_fd, socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(5)
        client.connect(("127.0.0.11", 53))
        for number in range(4):
            client.send(query(f"n{number}.example", number=number))
        codes = sorted(client.recv(512)[3] & 0x0F for _ in range(4))
    assert codes[:2] == [SERVER_FAILURE] * 2
    assert set(codes[2:]) <= {SERVER_FAILURE, REFUSED}
