"""A host of the test's own: a network namespace with networks, containers and a neighbour.

Containers are sandboxes without a process: each has a TCP and a UDP server that answers with its
name and the address that it was asked from.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import socket
import struct
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from engine.containers.spec import ContainerSpec, EndpointSpec, PortSpec
from engine.kernel import namespaces, rtnetlink
from engine.kernel.loop import Loop
from engine.kernel.rtnetlink import RouteSocket
from engine.network.networks import Networks
from engine.network.sandbox import Sandbox
from engine.network.spec import NetworkSpec
from engine.state.db import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.network.spec import Network
    from engine.state.paths import Roots

OUTSIDE_HOST, NEIGHBOUR = "203.0.113.1", "203.0.113.9"
OUTSIDE_HOST6, NEIGHBOUR6 = "2001:db8::1", "2001:db8::9"
NOTHING = "no answer"
IP_PKTINFO = 8  # include/uapi/linux/in.h
ASK_FOR_PKTINFO = {
    socket.AF_INET: (socket.IPPROTO_IP, IP_PKTINFO),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO),
}
PATIENCE_S = 20.0  # for what must come: only what fails waits so long
DROPPED_S = 0.3  # for what must not


@contextlib.contextmanager
def private_host() -> Iterator[None]:
    """The calling thread in a network namespace of its own, with loopback up, for a with-block."""
    fd = namespaces.new_network()
    try:
        with namespaces.joined_network(fd):
            with RouteSocket() as host:
                host.send([rtnetlink.link_up(rtnetlink.LOOPBACK_INDEX)])
            yield
    finally:
        os.close(fd)


class Box:
    """One container: its record, its sandbox, its servers."""

    def __init__(self, container_id: str, record: dict[str, Any], sandbox: Sandbox) -> None:
        self.id = container_id
        self.record = record
        self.sandbox = sandbox

    @property
    def address(self) -> str:
        """On the network that it was connected to first."""
        return str(self.record["endpoints"][0]["addresses"][0]["address"])

    @property
    def address6(self) -> str:
        """Its IPv6 address there."""
        return str(self.record["endpoints"][0]["addresses"][-1]["address"])

    def on(self, network: str) -> str:
        """Its address on that network."""
        found = next(e for e in self.record["endpoints"] if e["network"] == network)
        return str(found["addresses"][0]["address"])


class World:
    """The engine's networks in the calling thread's namespace."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots
        self.database = open_database(roots)
        self.networks = Networks(roots, self.database)
        self.boxes: list[Box] = []
        self._servers = Servers()
        self.loop = Loop()
        self._stop_read, self._stop_write = os.pipe()
        self.loop.add_reader(self._stop_read, self.loop.stop)
        self._serving = threading.Thread(target=self.loop.run, daemon=True)
        self._serving.start()

    def close(self) -> None:
        """Everything away again."""
        os.write(self._stop_write, b"x")
        self._serving.join()
        for box in self.boxes:
            box.sandbox.close()
        self._servers.close()
        for network in self.networks.list():
            self.networks.remove(network.name)
        self.networks.close()
        self.database.close()
        self.loop.close()
        os.close(self._stop_read)
        os.close(self._stop_write)

    def network(self, name: str, **given: Any) -> Network:
        """Create a network."""
        return self.networks.create(NetworkSpec(name=name, **given))

    def record(
        self, name: str, *networks: str | EndpointSpec, **given: Any
    ) -> tuple[str, dict[str, Any]]:
        """A container's id and the network section of its launch record."""
        container_id = secrets.token_hex(32)
        endpoints = tuple(
            n if isinstance(n, EndpointSpec) else EndpointSpec(network=n) for n in networks
        )
        spec = ContainerSpec(name=name, image="", endpoints=endpoints, **given)
        return container_id, self.networks.attach(container_id, name, container_id[:12], spec)

    def run(
        self, name: str, *networks: str | EndpointSpec, serve: bool = True, **given: Any
    ) -> Box:
        """A running container with servers on port 80."""
        container_id, record = self.record(name, *networks, **given)
        box = Box(container_id, record, Sandbox.create(record, container_id))
        box.sandbox.register()
        box.sandbox.serve(self.loop)
        self.boxes.append(box)
        if serve:
            self._servers.serve(name, box.sandbox.netns_fd, 80)
        return box

    def stop(self, box: Box) -> None:
        """Its sandbox away, its claims kept."""
        self.boxes.remove(box)
        box.sandbox.close()

    def neighbour(self, *routes: Network) -> int:
        """The namespace of another machine on the host's only uplink, with routes to `routes`."""
        fd = new_neighbour()
        self._servers.owned.append(fd)
        with namespaces.joined_network(fd):
            for pool in (pool for network in routes for pool in network.pools):
                route_through_host(str(pool.subnet))
        self._servers.serve("neighbour", fd, 80)
        return fd

    def guest(self, bridge: str, subnet: str) -> str:
        """The address of somebody else's container, on a bridge of theirs that is made.

        subnet   its first three numbers
        """
        fd = namespaces.new_network()
        self._servers.owned.append(fd)
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "address", "add", f"{subnet}.1/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        near = ("ip", "link", "add", f"of-{bridge}"[:15], "master", bridge, "up", "type", "veth")
        run(*near, "peer", "name", "eth0", "netns", f"/proc/{os.getpid()}/fd/{fd}")
        with namespaces.joined_network(fd):
            run("ip", "address", "add", f"{subnet}.2/24", "dev", "eth0")
            run("ip", "link", "set", "eth0", "up")
            run("ip", "route", "add", "default", "via", f"{subnet}.1")
        self._servers.serve(bridge, fd, 80)
        return f"{subnet}.2"


def new_neighbour() -> int:
    """The namespace of another machine, linked to the caller's by `uplink` there and `eth0` here.

    The caller closes the descriptor.
    """
    fd = namespaces.new_network()
    for place in (None, fd):  # a link-local address in doubt routes nothing for a second
        with inside(place):
            run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
    run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0")
    run("ip", "link", "set", "eth0", "netns", f"/proc/{os.getpid()}/fd/{fd}")
    run("ip", "address", "add", f"{OUTSIDE_HOST}/24", "dev", "uplink")
    run("ip", "address", "add", f"{OUTSIDE_HOST6}/64", "dev", "uplink", "nodad")
    run("ip", "link", "set", "uplink", "up")
    with namespaces.joined_network(fd):
        run("ip", "link", "set", "lo", "up")
        run("ip", "address", "add", f"{NEIGHBOUR}/24", "dev", "eth0")
        run("ip", "address", "add", f"{NEIGHBOUR6}/64", "dev", "eth0", "nodad")
        run("ip", "link", "set", "eth0", "up")
    return fd


def route_through_host(subnet: str) -> None:
    """In the neighbour's namespace: what a machine does that wants to get at the containers."""
    gateway = OUTSIDE_HOST6 if ":" in subnet else OUTSIDE_HOST
    run("ip", "route", "add", subnet, "via", gateway)


class Servers:
    """TCP and UDP servers in many namespaces, in one thread."""

    def __init__(self) -> None:
        self.owned: list[int] = []
        self._epoll = select.epoll()
        self._sockets: dict[int, tuple[str, socket.socket]] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stop = os.pipe()
        self._epoll.register(self._stop[0], select.EPOLLIN)
        self._thread.start()

    def serve(self, name: str, netns_fd: int, port: int) -> None:
        """Answer there from now on, on both families."""
        for family in (socket.AF_INET, socket.AF_INET6):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                server = namespaces.socket_in(netns_fd, family, kind)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                server.bind(("", port))
                if kind == socket.SOCK_STREAM:
                    server.listen(64)
                else:
                    server.setsockopt(*ASK_FOR_PKTINFO[family], 1)
                self._sockets[server.fileno()] = name, server
                self._epoll.register(server.fileno(), select.EPOLLIN)

    def close(self) -> None:
        """No server any more; what is `owned` is closed too."""
        os.write(self._stop[1], b"x")
        self._thread.join()
        for _, server in self._sockets.values():
            server.close()
        self._epoll.close()
        for fd in (*self.owned, *self._stop):
            os.close(fd)

    def _run(self) -> None:
        while True:
            for fd, _ in self._epoll.poll():
                if fd == self._stop[0]:
                    return
                self._answer(*self._sockets[fd])

    def _answer(self, name: str, server: socket.socket) -> None:
        if server.type == socket.SOCK_STREAM:
            client, sender = server.accept()
            client.sendall(f"{name} {sender[0]}".encode())
            client.close()
        else:
            _, asked_at, _, sender = server.recvmsg(100, 100)
            answer = f"{name} {sender[0]}".encode()
            server.sendmsg([answer], [_answered_from(*each) for each in asked_at], 0, sender)


def _answered_from(level: int, kind: int, data: bytes) -> tuple[int, int, bytes]:
    """So that the answer comes from the address that was asked. Source: ip(7), ipv6(7)."""
    if level == socket.IPPROTO_IP:
        return level, kind, struct.pack("I4s4x", 0, data[4:8])
    return level, kind, data


def run(*argv: str) -> str:
    """A program's output; it must succeed."""
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def inside(netns_fd: int | None) -> contextlib.AbstractContextManager[None]:
    """In that namespace; None is where the caller is."""
    return contextlib.nullcontext() if netns_fd is None else namespaces.joined_network(netns_fd)


def ask(netns_fd: int | None, protocol: str, host: str, port: int, *, patience_s: float) -> str:
    """What a server says to a client in that namespace, or NOTHING."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with inside(netns_fd):
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    with client:
        client.settimeout(patience_s)
        try:
            client.connect((host, port))
            if protocol == "udp":
                client.send(b"who are you?")
            return client.recv(100).decode() or NOTHING
        except OSError:
            return NOTHING


def reached(netns_fd: int | None, host: str, port: int, *, protocol: str = "tcp") -> str:
    """What must answer."""
    return ask(netns_fd, protocol, host, port, patience_s=PATIENCE_S)


def blocked(netns_fd: int | None, host: str, port: int, *, protocol: str = "tcp") -> bool:
    """Whether nothing answers."""
    return ask(netns_fd, protocol, host, port, patience_s=DROPPED_S) == NOTHING


def port(target: int, published: int | None = None, **given: Any) -> PortSpec:
    """A port published under one number, or under one that is free."""
    pair = None if published is None else (published, published)
    return PortSpec(target=target, published=pair, **given)
