"""The default routes of containers, as the kernel has them.

Links there have whatever names the container gives them: any bytes but blanks, `/` and `:`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ANY4, _ANY6 = b"00000000", b"0" * 32
_REJECT = 0x200  # RTF_REJECT: the kernel's own IPv6 entry for what has no route


def default_routes(pid: int) -> dict[int, set[str]]:
    """By IP version, the interfaces with a default route where a process is; none: it has ended."""
    directory = f"/proc/{pid}/net"
    return {
        version: set(_links(f"{directory}/{name}", read))
        for version, name, read in ((4, "route", _read4), (6, "ipv6_route", _read6))
    }


def _links(path: str, read: Callable[[bytes], bytes]) -> Iterator[str]:
    # a kernel without IPv6; a process that has ended
    with (
        contextlib.suppress(FileNotFoundError, ProcessLookupError),
        open(path, "rb") as file,
    ):
        yield from (link.decode(errors="replace") for link in map(read, file) if link)


def _read4(line: bytes) -> bytes:
    """The interface, if the line is about a default route."""
    link, destination, _, _, _, _, _, mask, *_ = line.split()
    return link if destination == mask == _ANY4 else b""


def _read6(line: bytes) -> bytes:
    destination, length, *_, flags, link = line.split()
    is_default = (destination, length) == (_ANY6, b"00") and not int(flags, 16) & _REJECT
    return link if is_default else b""
