"""The bridge of a network as the kernel has it: the typed face of pyroute2 (loads in 145 ms).

For inspection alone; what runs at every `up` goes through `engine.kernel.rtnetlink`.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


_SCOPE_LINK = 253  # include/uapi/linux/rtnetlink.h


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPort:
    """One link that is plugged into a bridge."""

    link: str
    up: bool
    hairpin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedBridge:
    """A bridge: `addresses` with their prefix length, as `172.18.0.1/16`."""

    name: str
    up: bool
    mtu: int
    mac_address: str
    addresses: tuple[str, ...]
    ports: tuple[ObservedPort, ...]


def observe_bridge(name: str) -> ObservedBridge | None:
    """What is there under that name; None when nothing is. Changes nothing."""
    from pyroute2 import IPRoute  # type: ignore[import-untyped]

    with IPRoute() as kernel:
        found = kernel.link_lookup(ifname=name)
        if not found:
            return None
        index = found[0]
        link = kernel.link("get", index=index)[0]
        return ObservedBridge(
            name=name,
            up=link["state"] == "up",
            mtu=link.get("mtu"),
            mac_address=link.get("address"),
            addresses=tuple(_addresses(kernel, index)),
            ports=tuple(_ports(kernel, index)),
        )


def _addresses(kernel: Any, index: int) -> Iterator[str]:
    """What it was given; its link-local address the kernel has given it."""
    for family in (socket.AF_INET, socket.AF_INET6):
        for address in kernel.addr("dump", index=index, family=family):
            if address["scope"] != _SCOPE_LINK:
                yield f"{address.get('address')}/{address['prefixlen']}"


def _ports(kernel: Any, bridge: int) -> Iterator[ObservedPort]:
    for link in kernel.link("dump"):
        if link.get("master") != bridge:
            continue
        mode = link.get("IFLA_LINKINFO").get("IFLA_INFO_SLAVE_DATA").get("IFLA_BRPORT_MODE")
        yield ObservedPort(link=link.get("ifname"), up=link["state"] == "up", hairpin=mode == 1)
