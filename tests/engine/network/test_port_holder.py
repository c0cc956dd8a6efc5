"""Who is named where a port is taken."""

from __future__ import annotations

import os
import socket

import pytest

from engine.network.port_holder import find_port_holder
from tests.marks import needs_root

pytestmark = [needs_root, pytest.mark.usefixtures("host")]


def has_it(protocol: str, host_ip: str, port: int) -> bool:
    """Whether this process is found as who has a port."""
    found = find_port_holder(protocol, host_ip, port)
    return found is not None and found.pid == os.getpid() and "py" in found.command


def listening(host_ip: str) -> socket.socket:
    server = socket.socket(socket.AF_INET6 if ":" in host_ip else socket.AF_INET)
    server.bind((host_ip, 0))
    server.listen()
    return server


@pytest.mark.parametrize("bound", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_who_listens_at_one_address_has_its_port_of_all(bound: str) -> None:
    with listening(bound) as server:
        port = server.getsockname()[1]
        assert has_it("tcp", "0.0.0.0", port)
        assert has_it("tcp", "127.0.0.1", port)
        assert find_port_holder("udp", "0.0.0.0", port) is None
        assert find_port_holder("tcp", "192.0.2.77", port) is None


def test_it_may_listen_by_ipv6_on_all_addresses() -> None:
    with listening("::") as server:
        assert has_it("tcp", "0.0.0.0", server.getsockname()[1])


def test_a_socket_that_no_process_has_is_nobodys() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with listening("127.0.0.1") as server:
            port = server.getsockname()[1]
            socket.send_fds(ours, [b"x"], [server.fileno()])
        with pytest.raises(OSError, match="already in use"), socket.socket() as second:
            second.bind(("127.0.0.1", port))
        assert find_port_holder("tcp", "127.0.0.1", port) is None
