"""Which addresses of the host the ports of a container are published on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.network.options import ROUTED
from engine.network.publication import ANY_ADDRESS, ANY_ADDRESS6

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from engine.containers.spec import PortSpec
    from engine.network.spec import Network

_LOOPBACK, _LOOPBACK6 = "127.0.0.1", "::1"
_UNTRANSLATED = (_LOOPBACK6, ANY_ADDRESS6)


def described_ports(
    ports: Iterable[PortSpec], ways_in: Mapping[int, Network]
) -> list[dict[str, Any]]:
    """The `ports` of the launch record; none where there is no way in.

    ways_in   by IP version, the network that published ports lead to
    """
    if not ways_in:
        return []
    routed = [f for f, network in ways_in.items() if network.choices.modes[f] == ROUTED]
    translated = {f: network for f, network in ways_in.items() if f not in routed}
    found: list[dict[str, Any]] = []
    for port in ports:
        described = _described(port, translated, routed)
        if not (port.loopback and port.published and described in found):
            found.append(described)  # of two addresses there can have become one
    return found


def _described(
    port: PortSpec, translated: Mapping[int, Network], routed: Sequence[int]
) -> dict[str, Any]:
    """`opened`: the IP versions in which it is let through to the container's own address."""
    return {
        "bindings": _bindings(port, translated) if translated else [],
        "opened": [] if port.loopback else list(routed),
        "published": list(port.published) if port.published else None,
        "target": port.target,
        "protocol": port.protocol,
    }


def _bindings(port: PortSpec, ways_in: Mapping[int, Network]) -> list[dict[str, Any]]:
    """The addresses of the host that a port is published on; all, where none is named.

    Relayed is what the kernel cannot translate: [::1], and from one IP version to the other. SCTP
    is not relayed: it is published where the kernel translates.
    """
    given = port.host_ip
    if given is None and 4 in ways_in:
        given = ways_in[4].choices.host_binding
    named = [given] if given is not None else [ANY_ADDRESS, ANY_ADDRESS6]
    if port.loopback:
        named = [_loopback_for(one) for one in named]
    if port.protocol == "sctp":
        named = [one for one in named if one != _LOOPBACK6 and _version(one) in ways_in]
    return [
        {
            "host_ip": one,
            "relayed": port.protocol != "sctp"
            and (one in _UNTRANSLATED or _version(one) not in ways_in),
            "optional": given is None and ":" in one,
        }
        for one in named
    ]


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def _loopback_for(host_ip: str) -> str:
    """Of the same IP version; one of 127.0.0.0/8 is one already."""
    if ":" in host_ip:
        return _LOOPBACK6
    return host_ip if host_ip.startswith("127.") else _LOOPBACK
