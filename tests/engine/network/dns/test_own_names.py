"""What a container is told of the names on its networks (engine.md B6.1 to B6.5, B6.12)."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.containers.spec import EndpointSpec
from engine.errors import NetworkProblem
from engine.kernel.namespaces import socket_in
from engine.network import names
from engine.network.dns.server import TTL_S
from tests.engine.network.dns.resolver import (
    AAAA,
    ANY,
    MX,
    NO_ERROR,
    PTR,
    SERVER_FAILURE,
    Upstream,
    ask,
    directory_of,
    many_addresses,
    query,
    resolve,
)
from tests.engine.network.world import PATIENCE_S, inside, run
from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.network.world import Box, World

pytestmark = needs_root


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


def test_the_first_name_is_the_one_of_an_address_and_none_is_there_twice(lan: World) -> None:
    web = lan.run("app-web-1", service("app_front", "web", "app-web-1", "www"))
    told = web.record["endpoints"][0]["names"]
    assert told == ["app-web-1", "web", "www", web.id[:12]]


@pytest.mark.parametrize("name", ["a b", "a\tb", "a\nb"])
def test_what_cannot_be_a_name_is_refused(lan: World, name: str) -> None:
    with pytest.raises(NetworkProblem, match="cannot be a name on network app_front") as caught:
        lan.record("web", service("app_front", name))
    assert caught.value.code == "name-invalid"


def test_the_network_may_be_named_after_the_name(lan: World) -> None:
    dotted = lan.network("corp.example")
    there = lan.run("db", dotted.name)
    front = lan.run("db-1", service("app_front", "db", "db.corp"))
    asker = lan.run("asker", EndpointSpec(network="app_front", gw_priority=1), dotted.name)
    assert ask(asker, "db.corp.example") == [there.address]  # `db.corp` in `example` is nobody
    assert ask(asker, "db.app_front") == [front.address]
    assert ask(asker, "db.corp.app_front") == [front.address]
    assert ask(asker, "db.corp") == [front.address]
    lan.run("whole", service("app_front", "db.corp.example"))
    assert ask(asker, "db.corp.example") != [there.address]  # the whole name is tried first


def test_replicas_take_turns(lan: World) -> None:
    addresses = {lan.run(f"web-{n}", service("app_front", "web")).address for n in range(3)}
    asker = lan.run("asker", "app_front")
    answers = [tuple(ask(asker, "web")) for _ in range(6)]
    assert all(set(answer) == addresses for answer in answers)
    assert {answer[0] for answer in answers} == addresses
    asked = (query("web", number=n) for n in range(9))
    whole = [resolve(asker.sandbox.netns_fd, one, tcp=True).addresses for one in asked]
    assert {answer[0] for answer in whole} == addresses


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


def test_a_link_to_a_service_is_to_all_of_its_replicas(lan: World) -> None:
    replicas = {lan.run(f"app-db-{n}", "app_front").address for n in (1, 2)}
    links = (("store", "app-db-1"), ("store", "app-db-2"), ("store", "app-db-3"))
    linked = lan.run("web", EndpointSpec(network="app_front", links=links))
    answers = [ask(linked, "store") for _ in range(4)]
    assert [set(answer) for answer in answers] == [replicas] * 4
    assert {answer[0] for answer in answers} == replicas


def test_a_link_to_nobody_is_no_name(lan: World, upstream: Upstream) -> None:
    linked = lan.run("web", EndpointSpec(network="app_front", links=(("store", "gone"),)))
    assert ask(linked, "store") == ["198.51.100.1"]


def test_every_family_is_told_when_any_is_asked_for(lan: World) -> None:
    asker = lan.run("web", "app_front")
    assert ask(asker, "web", ANY) == [asker.address]


def test_the_host_has_names(lan: World, upstream: Upstream) -> None:
    asker = lan.run("asker", "app_front")
    gateway = asker.record["endpoints"][0]["addresses"][0]["gateway"]
    for name in ("host.docker.internal", "Gateway.Docker.Internal"):
        assert ask(asker, name) == [gateway]
        assert ask(asker, name, AAAA) == []
    assert upstream.asked == []
    said = (("host.docker.internal", "192.0.2.7"), ("host.docker.internal", "2001:db8::7"))
    told = lan.run("told", "app_front", extra_hosts=said)
    assert ask(told, "host.docker.internal") == ["192.0.2.7"]
    assert ask(told, "host.docker.internal", AAAA) == ["2001:db8::7"]
    service_of_that_name = lan.run("x", service("app_front", "host.docker.internal"))
    assert ask(asker, "host.docker.internal") == [service_of_that_name.address]


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
    with many_addresses(asker, "web", addresses):
        fd = asker.sandbox.netns_fd
        cut = [resolve(fd, query("web", number=number)) for number in range(40)]
        assert all(answer.truncated for answer in cut)
        assert all(0 < len(answer.addresses) < 40 for answer in cut)
        assert all(len(answer.packet) <= 512 for answer in cut)
        assert {answer.addresses[0] for answer in cut} == addresses
        assert set(resolve(fd, query("web", edns_bytes=4096)).addresses) == addresses
        assert set(resolve(fd, query("web"), tcp=True).addresses) == addresses


def run_in(box: Box, *argv: str) -> str:
    with inside(box.sandbox.netns_fd):
        return run(*argv)


def test_several_questions_on_one_tcp_connection(lan: World) -> None:
    asker = lan.run("web", "app_front")
    packet = query("web")
    framed = len(packet).to_bytes(2, "big") + packet
    with socket_in(asker.sandbox.netns_fd, socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE_S)
        client.connect(("127.0.0.11", 53))
        client.sendall(framed + framed[:7])
        with client.makefile("rb") as stream:
            first = stream.read(int.from_bytes(stream.read(2), "big"))
            client.sendall(framed[7:])
            assert stream.read(int.from_bytes(stream.read(2), "big")) == first


def test_a_table_that_cannot_be_read_is_a_server_failure_while_it_lasts(lan: World) -> None:
    asker = lan.run("web", "app_front")
    assert ask(asker, "web") == [asker.address]
    table = Path(directory_of(asker), names.FILE)
    sound = table.read_text()
    table.write_text("not\ta table\n")

    def fails(*, tcp: bool) -> bool:
        return resolve(asker.sandbox.netns_fd, query("web"), tcp=tcp).rcode == SERVER_FAILURE

    # what comes while others are being answered gets what they got
    assert fails(tcp=False) or fails(tcp=False)
    assert fails(tcp=True)
    table.write_text(sound)
    assert ask(asker, "web") == [asker.address]


def test_who_speaks_edns_is_answered_in_it(lan: World) -> None:
    asker = lan.run("web", "app_front")
    for size in (0, 1232):
        packet = resolve(asker.sandbox.netns_fd, query("web", edns_bytes=size)).packet
        assert packet[11] == (1 if size else 0)


def test_nobody_but_the_container_is_served(lan: World) -> None:
    asker = lan.run("web", "app_front")
    listening = run_in(asker, "ss", "--listening", "--numeric", "--tcp", "--udp", "--no-header")
    ours = [line.split()[4] for line in listening.splitlines() if "127.0.0.11" in line]
    assert len(ours) == 2
    assert len(set(ours)) == 1  # TCP and UDP, on one port that is not 53
    assert not ours[0].endswith(":53")


def test_a_container_may_serve_port_53_itself(lan: World) -> None:
    asker = lan.run("dns", "app_front")
    with Upstream("0.0.0.0", netns_fd=asker.sandbox.netns_fd) as own:
        assert ask(asker, "dns") == [asker.address]
        assert own.asked == []
