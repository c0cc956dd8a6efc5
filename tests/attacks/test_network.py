"""E16: what one container of a network could do to another, and to its own name server."""

from __future__ import annotations

import os
import random
import socket
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine import EndpointSpec, NetworkSpec
from engine.kernel.namespaces import joined_network
from tests.engine.network.conftest import host, world
from tests.engine.network.dns.resolver import query
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock
    from tests.engine.network.world import Box, World

__all__ = ["host", "world"]

pytestmark = needs_root

ROUTER_ADVERTISEMENT, ALL_NODES = 134, "ff02::1"
HOP_LIMIT_OF_NEIGHBOURS = 255


def advertisement() -> bytes:
    """A router with a prefix for addresses, a route to everywhere and a name server."""
    prefix = socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
    server = socket.inet_pton(socket.AF_INET6, "2001:db8:bad::53")
    head = struct.pack("!BBHBBHII", ROUTER_ADVERTISEMENT, 0, 0, 64, 0, 9000, 0, 0)
    addresses = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 9000, 9000, 0) + prefix
    everywhere = struct.pack("!BBBBI", 24, 1, 0, 0x08, 9000)
    return head + addresses + everywhere + struct.pack("!BBHI", 25, 3, 0, 9000) + server


def inside(box: Box, *argv: str) -> str:
    with joined_network(box.sandbox.netns_fd):
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def state(box: Box) -> list[str]:
    """Addresses and routes, without what counts down."""
    lines = inside(box, "ip", "-6", "-o", "address").splitlines()
    return [*(line.split(" valid_lft")[0] for line in lines), inside(box, "ip", "-6", "route")]


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_neighbour_does_not_become_the_router(world: World, ipv6: bool) -> None:
    """CVE-2020-13401."""
    world.network("shared", ipv6=ipv6)
    victim, evil, naive = (world.run(name, "shared") for name in ("victim", "evil", "naive"))
    for box in (victim, evil, naive):
        inside(box, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0")
    inside(naive, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=2")
    before = state(victim)
    with joined_network(evil.sandbox.netns_fd):
        attack = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        index = socket.if_nametoindex("eth0")
    with attack:
        attack.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOP_LIMIT_OF_NEIGHBOURS)

        def believed() -> bool:
            """By who listens to such things; until then it is said again."""
            attack.sendto(advertisement(), (ALL_NODES, 0, 0, index))
            return "2001:db8:bad" in "".join(state(naive))

        assert eventually(believed)
    after = state(victim)
    assert "bad" not in "".join(after)
    assert [line for line in after if "fe80" not in line] == [
        line for line in before if "fe80" not in line
    ]


def test_a_name_server_survives_what_is_sent_to_it(dock: Dock) -> None:
    """It is the monitor: its end would be the container's."""
    dock.engine.networks.create(NetworkSpec(name="front"))
    container = dock.idle(network="networks", endpoints=(EndpointSpec(network="front"),))
    noise = random.Random(1)
    proper = query("example.org")
    netns_fd = os.open(f"/proc/{container.pid}/ns/net", os.O_RDONLY)
    with joined_network(netns_fd):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(40)]
    os.close(netns_fd)
    with udp:
        for size in (0, 1, 11, 12, 13, 512, 4096, 65507):
            udp.sendto(noise.randbytes(size), ("127.0.0.11", 53))
        for _ in range(300):
            packet = bytearray(proper)
            for _ in range(3):
                packet[noise.randrange(len(packet))] = noise.randrange(256)
            udp.sendto(packet, ("127.0.0.11", 53))
    for number, client in enumerate(tcp):
        with client:
            client.settimeout(2)
            try:
                client.connect(("127.0.0.11", 53))
                client.send(
                    [b"", b"\xff\xff", struct.pack("!H", 65535) + b"x", bytes(4)][number % 4]
                )
            except OSError:
                continue
    assert dock.exec(container, "true").code == 0
    assert container.name in dock.exec(container, "nslookup", container.name).stdout.decode()
    assert dock.stop(container).status == "exited"
