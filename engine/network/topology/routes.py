"""The default routes of containers, as the kernel has them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANY4, _ANY6 = "00000000", "0" * 32
_REJECT = 0x200  # RTF_REJECT: the kernel's own IPv6 entry for what has no route


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
