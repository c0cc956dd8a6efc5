"""How fast the DNS of one container answers: `python -m tests.bench.dns [SECONDS]`, as root.

Two measures, with 200 names on the network:

flood     a client process inside the container keeps 64 queries in flight; server and client
          have a CPU each, so that the server's own speed is seen
one       one query at a time: what a lookup costs an application

The server is a forked process of its own, as a monitor is, behind the DNAT.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

NAMES = 200
IN_FLIGHT = 64


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    from engine.kernel import namespaces, rtnetlink

    namespaces.unshare(namespaces.CLONE_NEWNET)
    with rtnetlink.RouteSocket() as host:
        host.send([rtnetlink.link_up(rtnetlink.LOOPBACK_INDEX)])
    with tempfile.TemporaryDirectory() as directory:
        record = _record(directory)
        reader, writer = os.pipe()
        server = os.fork()
        if server == 0:
            _serve(record, writer)
        netns = os.open(f"/proc/{server}/fd/{int(os.read(reader, 16))}", os.O_RDONLY)
        namespaces.setns(netns, namespaces.CLONE_NEWNET)
        used_s = _cpu_s(server)
        flood = _flood(seconds)
        used_s = _cpu_s(server) - used_s
        print(f"flood: {flood / seconds:9.0f} queries/s, {used_s / flood * 1e6:.1f} us CPU each")
        one = _one_by_one(min(seconds, 1.0))
        print(f"one:   {one * 1e6:9.1f} us a lookup")
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
    return 0


def _record(directory: str) -> dict[str, object]:
    """A network with NAMES endpoints and one container, as the command would hand it over."""
    from engine.containers.spec import ContainerSpec, EndpointSpec
    from engine.network import names
    from engine.network.networks import Networks
    from engine.network.spec import NetworkSpec
    from engine.state.db import open_database
    from engine.state.paths import Roots

    roots = Roots(f"{directory}/root", f"{directory}/run")
    networks = Networks(roots, open_database(roots))
    network = networks.create(NetworkSpec(name="bench"))
    Path(roots.network_run(network.id)).mkdir(parents=True, exist_ok=True)
    lines = [
        names.Entry(
            addresses=(str(network.pools[0].subnet.network_address + 1000 + number),),
            container_id=secrets.token_hex(32),
            holder=names.identity(os.getpid()),
            link="none",
            names=(f"svc{number}",),
        ).line()
        for number in range(NAMES)
    ]
    Path(roots.network_run(network.id), names.FILE).write_text("\n".join(lines) + "\n")
    spec = ContainerSpec(name="client", image="", endpoints=(EndpointSpec(network="bench"),))
    return networks.attach(secrets.token_hex(32), "client", "client", spec)


def _serve(record: dict[str, object], writer: int) -> None:
    from engine.kernel.loop import Loop
    from engine.network.sandbox import Sandbox

    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sandbox = Sandbox.create(record, secrets.token_hex(32))
    sandbox.register()
    loop = Loop()
    sandbox.serve(loop)
    os.write(writer, str(sandbox.netns_fd).encode())
    loop.run()
    os._exit(0)


def _flood(seconds: float) -> int:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    client.connect(("127.0.0.11", 53))
    client.settimeout(1)
    queries = [_query(number) for number in range(NAMES)]
    for query in queries[:IN_FLIGHT]:
        client.send(query)
    receive, send = client.recv, client.send
    end_s = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end_s:
        for query in queries:
            answer = receive(512)
            send(query)
        count += NAMES
        if answer[6:8] != b"\0\1":
            raise AssertionError(f"not an answer with an address: {answer!r}")
    return count


def _one_by_one(seconds: float) -> float:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.11", 53))
    client.settimeout(1)
    query = _query(7)
    count, started_s = 0, time.monotonic()
    while time.monotonic() < started_s + seconds:
        client.send(query)
        client.recv(512)
        count += 1
    return (time.monotonic() - started_s) / count


def _query(number: int) -> bytes:
    name = f"svc{number}".encode()
    header = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
    return header + bytes([len(name)]) + name + b"\0" + struct.pack(">HH", 1, 1)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
