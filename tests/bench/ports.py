"""What publishing a port costs when many are: `python -m tests.bench.ports`, as root.

For 1, 10, 1,000 and 10,000 published ports: one more element in the kernel and away again, a port
with its reservation as a monitor makes it, and the first packet of a connection to the last one.
"""

from __future__ import annotations

import os
import secrets
import socket
import statistics
import sys
import tempfile
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.network.networks import Networks
    from engine.network.sandbox import Sandbox

COUNTS = (1, 10, 1_000, 10_000)
FIRST = 10_000
ROUNDS = 200


def main() -> int:
    from engine.kernel import namespaces, rtnetlink
    from engine.network import ports
    from engine.network.publication import Publication

    namespaces.unshare(namespaces.CLONE_NEWNET)
    with rtnetlink.RouteSocket() as host:
        host.send([rtnetlink.link_up(rtnetlink.LOOPBACK_INDEX)])
    with tempfile.TemporaryDirectory() as directory:
        networks, sandbox, address = _container(directory)
        firewall = networks._gateway._firewall
        _answer(sandbox.netns_fd)

        def publication(number: int) -> Publication:
            return Publication("tcp", "0.0.0.0", number, address, 80, "bench")

        def reserve() -> None:
            bindings = [{"host_ip": "0.0.0.0", "relayed": False, "optional": False}]
            wanted = {"bindings": bindings, "published": [9, 9], "target": 80, "protocol": "tcp"}
            for reservation in ports.reserve([wanted]):
                reservation.close()

        extra = [publication(FIRST - 1)]
        have = 0
        print("ports     add ms  remove ms  reserve ms  connect ms")
        for count in COUNTS:
            started_s = time.perf_counter()
            firewall.publish([publication(FIRST + n) for n in range(have, count)])
            bulk_ms = (time.perf_counter() - started_s) * 1e3
            have = count
            add = _median_ms(lambda: firewall.publish(extra), lambda: firewall.withdraw(extra))
            remove = _median_ms(lambda: firewall.withdraw(extra), lambda: firewall.publish(extra))
            firewall.withdraw(extra)
            connect = _median_ms(partial(_connect, FIRST + count - 1), lambda: None)
            shown = f"{add:10.3f} {remove:10.3f} {_median_ms(reserve, lambda: None):11.3f}"
            print(f"{count:6} {shown} {connect:11.3f}   (all {count}: {bulk_ms:.1f} ms)")
        sandbox.close()
    return 0


def _container(directory: str) -> tuple[Networks, Sandbox, str]:
    from engine.containers.spec import ContainerSpec, EndpointSpec
    from engine.network.networks import Networks
    from engine.network.sandbox import Sandbox
    from engine.network.spec import NetworkSpec
    from engine.state.db import open_database
    from engine.state.paths import Roots

    roots = Roots(f"{directory}/root", f"{directory}/run")
    networks = Networks(roots, open_database(roots))
    networks.create(NetworkSpec(name="bench"))
    spec = ContainerSpec(name="server", image="", endpoints=(EndpointSpec(network="bench"),))
    container_id = secrets.token_hex(32)
    record = networks.attach(container_id, "server", "server", spec)
    return (
        networks,
        Sandbox.create(record, container_id),
        str(record["endpoints"][0]["addresses"][0]["address"]),
    )


def _answer(netns_fd: int) -> None:
    from engine.kernel.namespaces import socket_in

    server = socket_in(netns_fd, socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("", 80))
    server.listen(128)

    def accept() -> None:
        while True:
            server.accept()[0].close()

    threading.Thread(target=accept, daemon=True).start()


def _connect(number: int) -> None:
    with socket.create_connection(("127.0.0.1", number), timeout=2):
        pass


def _median_ms(measured: Callable[[], object], undo: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started_s = time.perf_counter()
        measured()
        taken.append(time.perf_counter() - started_s)
        undo()
    return statistics.median(taken) * 1e3


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
