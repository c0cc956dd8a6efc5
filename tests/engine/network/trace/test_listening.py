"""Who listens on a port, as the kernel lists it."""

from __future__ import annotations

import socket

import pytest

from engine.network.trace.listening import listening_addresses, takes
from tests.marks import needs_root


@needs_root
@pytest.mark.parametrize(
    ("bound", "shown", "taken"),
    [
        ("0.0.0.0", "0.0.0.0", {"127.0.0.1"}),
        ("127.0.0.1", "127.0.0.1", {"127.0.0.1"}),
        ("127.0.0.2", "127.0.0.2", set()),
        ("::ffff:127.0.0.1", "127.0.0.1", {"127.0.0.1"}),  # as Java binds to an IPv4 address
        ("::1", "::1", {"::1"}),
        ("::", "::", {"127.0.0.1", "::1"}),
    ],
)
def test_a_socket_is_known_by_its_address(
    host: None, bound: str, shown: str, taken: set[str]
) -> None:
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((bound, 0))
        server.listen()
        port = server.getsockname()[1]
        assert listening_addresses("thread-self", "tcp", port) == [shown]
    assert {target for target in ("127.0.0.1", "::1") if takes(shown, target)} == taken
