"""Bytes through networks: `python -m tests.bench.throughput [SECONDS]`, as root, with iperf3.

TCP and UDP from container to container, from the host to a published port, from a machine beside
the host to it, and by [::1], where a process has to pass all on; for Buoy, for Docker with its
proxy, and for two namespaces on a bridge made by hand, in one run. Mbit/s as the receiver has them.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engine.kernel import namespaces
from tests.bench.parties import print_table
from tests.engine.network.world import OUTSIDE_HOST, inside, private_host, run
from tests.reachability import scene
from tests.reachability.parties import dockers, ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.reachability.scene import Party

    Way = tuple[int | None, int, str, int]  # from, to (namespaces), address, port

PORT, PUBLISHED = 5201, 15201
KINDS = {"TCP": (), "UDP": ("--udp", "--bitrate", "0", "--length", "1400")}
BARE = ("10.9.0.1", "10.9.0.2")
PROJECT = f"""
name: throughput
services:
  server:
    image: busybox
    command: sleep 1000
    ports: ["{PUBLISHED}:{PORT}", "{PUBLISHED}:{PORT}/udp"]
  client:
    image: busybox
    command: sleep 1000
"""


def main(seconds: int) -> None:
    """Measure and print."""
    found = {}
    for other in (ours, dockers):
        with scene.host() as neighbour, other() as party, _ways(party, neighbour) as ways:
            found[other.__name__] = _measured(ways, seconds)
    with private_host(), _by_hand() as way:
        by_hand = _measured({"": way}, seconds)
    rows = {
        what: (found["ours"][what], found["dockers"][what], by_hand[f"{what[:3]} "])
        for what in found["ours"]
    }
    print_table("Mbit/s", ("buoy", "docker", "by hand, on a bridge"), rows)


def _measured(ways: Mapping[str, Way], seconds: int) -> dict[str, float]:
    return {
        f"{kind} {name}": _measure(way, options, seconds)
        for name, way in ways.items()
        for kind, options in KINDS.items()
    }


def _measure(way: Way, options: tuple[str, ...], seconds: int) -> float:
    source, target, address, port = way
    with inside(target):
        command = ["iperf3", "--server", "--one-off", "--forceflush", "--port", str(PORT)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    while "listening" not in server.stdout.readline():
        pass
    with inside(source):
        words = ["--client", address, "--port", str(port), "--time", str(seconds), "--json"]
        report = json.loads(run("iperf3", *words, *options))
    server.stdout.close()
    server.wait()
    received = report["end"].get("sum_received") or report["end"]["sum"]
    share = 1 - received.get("lost_percent", 0) / 100
    return float(received["bits_per_second"] * share) / 1e6


@contextlib.contextmanager
def _ways(party: Party, neighbour: int) -> Iterator[dict[str, Way]]:
    """The project up."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        file = Path(directory) / "compose.yaml"
        file.write_text(PROJECT)
        party.compose("-f", str(file), "up", "-d")
        stack.callback(party.compose, "-f", str(file), "down", "-t", "0")
        server, client = (
            stack.enter_context(Path(f"/proc/{party.init_of(name)}/ns/net").open()).fileno()
            for name in ("server", "client")
        )
        with inside(server):
            (address,) = run("hostname", "--all-ip-addresses").split()
        yield {
            "container to container": (client, server, address, PORT),
            "host to published, 127.0.0.1": (None, server, "127.0.0.1", PUBLISHED),
            "neighbour to published": (neighbour, server, OUTSIDE_HOST, PUBLISHED),
            "host to published, [::1]": (None, server, "::1", PUBLISHED),
        }


@contextlib.contextmanager
def _by_hand() -> Iterator[Way]:
    """Two namespaces, each with a veth on one bridge."""
    run("ip", "link", "add", "hand", "type", "bridge")
    run("ip", "link", "set", "hand", "up")
    fds = [namespaces.new_network() for _ in BARE]
    for number, (fd, address) in enumerate(zip(fds, BARE, strict=True)):
        near = f"hand{number}"
        run("ip", "link", "add", near, "type", "veth", "peer", "name", "eth0")
        run("ip", "link", "set", "eth0", "netns", f"/proc/{os.getpid()}/fd/{fd}")
        run("ip", "link", "set", near, "master", "hand", "up")
        with inside(fd):
            run("ip", "address", "add", f"{address}/24", "dev", "eth0")
            run("ip", "link", "set", "eth0", "up")
    yield fds[0], fds[1], BARE[1], PORT
    for fd in fds:
        os.close(fd)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
