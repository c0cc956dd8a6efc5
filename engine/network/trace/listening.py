"""Who listens on a port in a namespace, by /proc/PID/net."""

from __future__ import annotations

from engine.network.publication import ANY_ADDRESS, ANY_ADDRESS6
from engine.network.socket_tables import LISTENING, UNCONNECTED, bound_sockets


def listening_addresses(process: str, protocol: str, port: int) -> list[str]:
    """The addresses that sockets listen on at that port.

    process   of the namespace: its pid, or `thread-self`
    """
    wanted = LISTENING if protocol == "tcp" else UNCONNECTED
    found = bound_sockets(protocol, port, process=process)
    return list(dict.fromkeys(one.address for one in found if one.state == wanted))


def takes(listening: str, target: str) -> bool:
    """Whether a socket at that address takes what is sent to `target`. One at `::` takes IPv4
    too, unless it was told not to, which the kernel does not show."""
    if listening in (ANY_ADDRESS, ANY_ADDRESS6):
        return listening == ANY_ADDRESS6 or ":" not in target
    return listening == target
