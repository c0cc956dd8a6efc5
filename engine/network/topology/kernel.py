"""Addresses of the host's links, and default routes of containers, as the kernel has them."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

from engine.kernel.netlink import parse_attributes
from engine.kernel.rtnetlink import IFA_ADDRESS, IFA_LOCAL, RT_SCOPE_LINK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kernel.rtnetlink import RouteSocket

_RTM_GETADDR = 22
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index of the link
_ANY4, _ANY6 = "00000000", "0" * 32
_REJECT = 0x200  # RTF_REJECT: the kernel's own IPv6 entry for what has no route


def addresses_by_link(host: RouteSocket) -> dict[int, list[str]]:
    """By index of the link, with prefix lengths; without those that the kernel has given it."""
    found: dict[int, list[str]] = {}
    for body in host.dump(_RTM_GETADDR, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        family, length, _, scope, index = _ADDRESS.unpack_from(body)
        given = parse_attributes(body, _ADDRESS.size)
        packed = given.get(IFA_LOCAL) or given.get(IFA_ADDRESS)
        if packed is not None and scope != RT_SCOPE_LINK:
            address = socket.inet_ntop(family, packed)
            found.setdefault(index, []).append(f"{address}/{length}")
    return found


def default_route_links(pid: int) -> list[str]:
    """The interfaces that have a default route in the network namespace of a process."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return list(dict.fromkeys(_default_routes(f"/proc/{pid}/net")))
    return []


def _default_routes(directory: str) -> Iterator[str]:
    with open(f"{directory}/route", encoding="ascii") as file:
        for line in list(file)[1:]:
            link, destination, _, _, _, _, _, mask, *_ = line.split()
            if destination == mask == _ANY4:
                yield link
    with (
        contextlib.suppress(FileNotFoundError),
        open(  # a kernel without IPv6
            f"{directory}/ipv6_route", encoding="ascii"
        ) as file,
    ):
        for line in file:
            destination, length, *_, flags, link = line.split()
            if (destination, length) == (_ANY6, "00") and not int(flags, 16) & _REJECT:
                yield link
