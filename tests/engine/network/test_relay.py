"""Clients that the kernel cannot translate: [::1], and those of the other IP version."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.kernel import namespaces
from engine.kernel.process import state_of
from engine.network.relay import most_clients
from tests.engine.network.world import (
    NEIGHBOUR6,
    NOTHING,
    OUTSIDE_HOST6,
    PATIENCE_S,
    Box,
    World,
    ask,
    port,
    reached,
    run,
)
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = needs_root


@pytest.fixture
def web(world: World) -> Box:
    """On a network of IPv4 alone, published on all addresses of the host."""
    world.network("lan")
    world.neighbour()
    return world.run("web", "lan", ports=(port(80, 8080), port(80, 8053, protocol="udp")))


def gateway(box: Box) -> str:
    return str(box.record["endpoints"][0]["addresses"][0]["gateway"])


def test_a_port_is_published_on_both_ip_versions_under_one_number(world: World) -> None:
    world.network("lan")
    box = world.run("web", "lan", ports=(port(80),))
    first, second = box.sandbox.published
    assert (first["host_ip"], second["host_ip"]) == ("0.0.0.0", "::")
    assert first["published"] == second["published"]


@pytest.mark.parametrize(("protocol", "published"), [("tcp", 8080), ("udp", 8053)])
def test_ipv6_clients_reach_a_container_without_ipv6(
    world: World, web: Box, protocol: str, published: int
) -> None:
    for host in ("::1", OUTSIDE_HOST6):
        for _ in range(3):
            said = reached(None, host, published, protocol=protocol)
            assert said == f"web {gateway(web)}", host
    outside = world._servers.owned[0]
    assert reached(outside, OUTSIDE_HOST6, published, protocol=protocol) == f"web {gateway(web)}"


def test_ipv4_clients_reach_a_container_without_ipv4(world: World) -> None:
    world.network("six", ipv4=False, ipv6=True)
    world.run("web", "six", ports=(port(80, 8080),))
    assert reached(None, "127.0.0.1", 8080).startswith("web ")
    assert reached(None, "::1", 8080).startswith("web ")


def test_clients_that_can_be_translated_are(world: World) -> None:
    world.network("lan", ipv6=True)
    neighbour = world.neighbour()
    world.run("web", "lan", ports=(port(80, 8080),))
    assert reached(neighbour, OUTSIDE_HOST6, 8080) == f"web {NEIGHBOUR6}"
    assert reached(None, "::1", 8080).startswith("web ")


def test_loopback_alone_is_out_of_reach_of_others(world: World) -> None:
    world.network("lan")
    neighbour = world.neighbour()
    world.run("web", "lan", ports=(port(80, 8080, host_ip="::1"),))
    assert reached(None, "::1", 8080).startswith("web ")
    assert ask(neighbour, "tcp", OUTSIDE_HOST6, 8080, patience_s=0.3) == NOTHING
    assert ask(None, "tcp", "127.0.0.1", 8080, patience_s=0.3) == NOTHING


def serve_once(box: Box, number: int, answer: Callable[[socket.socket], None]) -> threading.Thread:
    """One connection to a port inside of a container."""
    server = namespaces.socket_in(box.sandbox.netns_fd, socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("", number))
    server.listen()

    def run() -> None:
        with server, server.accept()[0] as client:
            answer(client)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_each_half_of_a_connection_goes_to_its_own_end(world: World) -> None:
    """Ten megabytes in; their count comes back only after the end of them was seen."""
    world.network("lan")
    box = world.run("web", "lan", ports=(port(90, 9090),), serve=False)

    def count(client: socket.socket) -> None:
        total = 0
        while got := client.recv(1 << 16):
            total += len(got)
        client.sendall(b"x" * (1 << 20) + str(total).encode())

    thread = serve_once(box, 90, count)
    with socket.create_connection(("::1", 9090), timeout=20) as client:
        client.sendall(os.urandom(10 << 20))
        client.shutdown(socket.SHUT_WR)
        back = b"".join(iter(lambda: client.recv(1 << 16), b""))
    thread.join()
    assert back == b"x" * (1 << 20) + str(10 << 20).encode()


def test_a_slow_reader_holds_up_nobody_else(world: World) -> None:
    world.network("lan")
    box = world.run("web", "lan", ports=(port(90, 9090), port(80, 8080)))

    def flood(client: socket.socket) -> None:
        client.sendall(bytes(8 << 20))

    thread = serve_once(box, 90, flood)
    with socket.create_connection(("::1", 9090), timeout=20) as slow:
        assert reached(None, "::1", 8080).startswith("web ")
        taken = 0
        while got := slow.recv(1 << 20):
            taken += len(got)
    thread.join()
    assert taken == 8 << 20


def test_nobody_listening_inside_is_a_reset(world: World) -> None:
    world.network("lan")
    world.run("web", "lan", ports=(port(90, 9090),), serve=False)
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(("::1", 9090), timeout=PATIENCE_S) as client,
    ):
        client.recv(1)


def relay_pid() -> int:
    """The relay that this process has forked; others may have ended, with nobody to reap them."""
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has ended
            for child in map(int, (task / "children").read_text().split()):
                is_alive = not (state_of(child) or "Z").startswith("Z")
                if is_alive and Path(f"/proc/{child}/comm").read_text() == "buoy:relay\n":
                    return child
    raise AssertionError("there is no relay")


def pipes_of(pid: int) -> list[str]:
    """Those that a process has opened itself."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if int(link.name) > 2 and str(link.readlink()).startswith("pipe:"):
                found.append(link.name)
    return found


def test_a_client_has_a_pipe_while_something_is_on_its_way(world: World) -> None:
    world.network("lan")
    box = world.run("deaf", "lan", ports=(port(90, 9090),), serve=False)
    with namespaces.socket_in(box.sandbox.netns_fd, socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("", 90))
        server.listen()
        with socket.create_connection(("::1", 9090), timeout=PATIENCE_S) as client:
            inside, _ = server.accept()
            relay = relay_pid()
            assert eventually(lambda: pipes_of(relay) == [])
            client.setblocking(False)

            def is_full() -> bool:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        client.send(bytes(1 << 16))
                return len(pipes_of(relay)) == 2

            assert eventually(is_full)  # nothing more fits in anywhere
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        inside.close()
        assert eventually(lambda: pipes_of(relay) == [])


@pytest.mark.parametrize(("limit", "most"), [(1024, 160), (70, 1), (100_000, 1024)])
def test_there_are_as_many_clients_as_descriptors_for_them(
    limit: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert most_clients() == most


def test_a_container_that_goes_takes_its_relay_along(world: World, web: Box) -> None:
    assert reached(None, "::1", 8080).startswith("web ")
    world.stop(web)

    def refused() -> bool:
        return ask(None, "tcp", "::1", 8080, patience_s=0.3) == NOTHING

    assert eventually(refused)


def test_datagrams_without_a_way_are_lost_alone(world: World, web: Box) -> None:
    """Their relay stays, for the sake of those that have one."""
    asked = None, "udp", "::1", 8053
    assert ask(*asked, patience_s=PATIENCE_S).startswith("web ")
    relay, bridge = relay_pid(), web.record["endpoints"][0]["device"]
    run("ip", "link", "set", bridge, "down")
    for _ in range(3):
        assert ask(*asked, patience_s=0.2) == NOTHING
    run("ip", "link", "set", bridge, "up")
    assert eventually(lambda: ask(*asked, patience_s=0.3).startswith("web "))
    assert relay_pid() == relay
