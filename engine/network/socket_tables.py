"""The sockets of a network namespace that are bound to a port, by /proc/PID/net.

Source: proc(5), "/proc/net/tcp".
"""

from __future__ import annotations

import contextlib
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENING, UNCONNECTED = "0A", "07"  # states of TCP and UDP sockets
_MAPPED = bytes(10) + b"\xff\xff"  # before an IPv4 address that an IPv6 socket is bound to


class BoundSocket:
    """One line of a table.

    inode  by which a descriptor of it is known; "0": it is the kernel's own
    """

    __slots__ = ("address", "inode", "state")

    def __init__(self, address: str, state: str, inode: str) -> None:
        self.address = address
        self.state = state
        self.inode = inode


def bound_sockets(
    protocol: str, port: int, *, process: str = "thread-self"
) -> Iterator[BoundSocket]:
    """Those at a port, of both IP versions; none of SCTP, whose tables are of another shape.

    process   of the namespace: its pid, or `thread-self`
    """
    for table in (protocol, f"{protocol}6"):
        with (
            contextlib.suppress(FileNotFoundError, IsADirectoryError),
            open(f"/proc/{process}/net/{table}", encoding="ascii") as file,
        ):
            for line in list(file)[1:]:
                _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
                address, _, number = local.partition(":")
                if int(number, 16) == port:
                    yield BoundSocket(_address(address), state, inode)


def _address(shown: str) -> str:
    """From hexadecimal words in the byte order of the machine."""
    words = [bytes.fromhex(shown[i : i + 8])[::-1] for i in range(0, len(shown), 8)]
    packed = b"".join(words).removeprefix(_MAPPED)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
