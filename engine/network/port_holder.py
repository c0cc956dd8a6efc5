"""Who has a port that cannot be had."""

from __future__ import annotations

import contextlib
import os

from engine.network.publication import ANY_ADDRESS, ANY_ADDRESS6
from engine.network.socket_tables import LISTENING, bound_sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN_COMMAND = 80  # characters of a command line: it may be a whole program


class PortHolder:
    """The process that has a port: enough to name it."""

    __slots__ = ("command", "pid")

    def __init__(self, pid: int, command: str) -> None:
        self.pid = pid
        self.command = command


def find_port_holder(protocol: str, host_ip: str, port: int) -> PortHolder | None:
    """Who has bound a port that clashes with this one; None where no process that we may look
    into has: the kernel itself may, as of NFS."""
    for one in bound_sockets(protocol, port):
        if (protocol == "udp" or one.state == LISTENING) and _clash(host_ip, one.address):
            pid = _find_socket_owner(one.inode)
            if pid is not None:
                return PortHolder(pid, _command_of(pid))
    return None


def _clash(wanted: str, bound: str) -> bool:
    """Whether the two cannot both be bound. `::` may have been bound for IPv4 too."""
    same_version = (":" in wanted) == (":" in bound)
    any_address = {wanted, bound} & {ANY_ADDRESS, ANY_ADDRESS6}
    return wanted == bound or bound == ANY_ADDRESS6 or (same_version and bool(any_address))


def _find_socket_owner(inode: str) -> int | None:
    wanted = f"socket:[{inode}]"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if any(target == wanted for target in _open_files(pid)):
            return int(pid)
    return None


def _open_files(pid: str) -> Iterator[str]:
    """What its descriptors lead to; nothing where it has ended or we may not look."""
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                yield os.readlink(f"/proc/{pid}/fd/{fd}")


def _command_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = " ".join(file.read().replace(b"\0", b" ").decode(errors="replace").split())
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return words[:_SHOWN_COMMAND] or file.read().strip()
    except OSError:
        return ""
