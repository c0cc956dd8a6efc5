"""Who listens on a port in a namespace, by /proc/PID/net."""

from __future__ import annotations

import contextlib
import socket

_LISTEN, _UNCONNECTED = "0A", "07"  # states of TCP and UDP sockets
_ANY = {"0.0.0.0", "::"}
_MAPPED = bytes(10) + b"\xff\xff"  # before an IPv4 address that an IPv6 socket is bound to


def listening_addresses(process: str, protocol: str, port: int) -> list[str]:
    """The addresses that sockets listen on at that port.

    process   of the namespace: its pid, or `thread-self`
    """
    wanted = _LISTEN if protocol == "tcp" else _UNCONNECTED
    found = []
    for table in (protocol, f"{protocol}6"):
        with (
            contextlib.suppress(FileNotFoundError),
            open(f"/proc/{process}/net/{table}", encoding="ascii") as file,
        ):
            for line in list(file)[1:]:
                _, local, _, state, *_ = line.split()
                address, _, number = local.partition(":")
                if state == wanted and int(number, 16) == port:
                    found.append(_address(address))
    return list(dict.fromkeys(found))


def takes(listening: str, target: str) -> bool:
    """Whether a socket at that address takes what is sent to `target`. One at `::` takes IPv4
    too, unless it was told not to, which the kernel does not show."""
    if listening in _ANY:
        return listening == "::" or ":" not in target
    return listening == target


def _address(shown: str) -> str:
    """From hexadecimal words in the byte order of the machine."""
    words = [bytes.fromhex(shown[i : i + 8])[::-1] for i in range(0, len(shown), 8)]
    packed = b"".join(words).removeprefix(_MAPPED)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
