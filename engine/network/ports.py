"""Host ports of a container: reserved by really binding them, held as long as published.

Where the kernel translates, they take nothing in: a filter that drops all is attached before the
bind, so that no connection can slip in before the DNAT is there (spec: engine.md B5.4).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

from engine.errors import NetworkProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_BPF_RET_K = 0x06
_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
_BACKLOG = 128
_EPHEMERAL_ATTEMPTS = 10  # its number may be free for one IP version and not for the other
_NO_SUCH_VERSION = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

_DROP_ALL = ctypes.create_string_buffer(struct.pack("=HBBI", _BPF_RET_K, 0, 0, 0))
_DROP_ALL_PROGRAM = struct.pack("@HP", 1, ctypes.addressof(_DROP_ALL))


class PortTaken(Exception):
    """A port that cannot be had because somebody has it, or all from `port` to `last`; 0 where
    any would have done."""

    def __init__(self, protocol: str, host_ip: str, port: int, last: int | None = None) -> None:
        shown = f"{port}-{last}" if last not in (None, port) else str(port)
        super().__init__(f"bind {host_ip}:{shown}/{protocol}: {os.strerror(errno.EADDRINUSE)}")
        self.protocol = protocol
        self.host_ip = host_ip
        self.port = port
        self.last = port if last is None else last


class AddressMissing(OSError):
    """A port was to be published at an address that this host does not have."""

    code = "address-missing"
    hint = "see `ip address`; without an address, a port is published at all of them"

    def __init__(self, protocol: str, host_ip: str, port: int) -> None:
        super().__init__(f"port {port}/{protocol}: {host_ip} is no address of this host")


class Reservation:
    """A host port that is ours while its socket is open.

    relayed  its socket takes clients: the kernel cannot translate all of them
    """

    __slots__ = ("host_ip", "protocol", "published", "relayed", "socket", "target")

    def __init__(
        self, bound: socket.socket, protocol: str, host_ip: str, target: int, *, relayed: bool
    ) -> None:
        self.socket = bound
        self.protocol = protocol
        self.host_ip = host_ip
        self.published: int = bound.getsockname()[1]
        self.target = target
        self.relayed = relayed

    def close(self) -> None:
        """Give the port back; may be repeated."""
        self.socket.close()


def reserve(ports: Sequence[Mapping[str, Any]]) -> list[Reservation]:
    """Reserve all or none; ports as in the launch record (`published`: None or [first, last]).

    One port has a `binding` for each address of the host that it is published on, all with the
    same number. Fixed ones come first, so that an ephemeral one never takes what is asked for by
    number. Raises PortTaken, or OSError for an address that is not this host's.
    """
    order = sorted(range(len(ports)), key=lambda i: _freedom(ports[i]))
    done: dict[int, list[Reservation]] = {}
    try:
        for place in order:
            done[place] = _reserve_one(ports[place])
    except BaseException:
        close(one for some in done.values() for one in some)
        raise
    return [one for place in range(len(ports)) for one in done[place]]


def has_sctp() -> bool:
    """Whether this kernel has SCTP; what is a module is loaded."""
    kind, protocol = _KINDS["sctp"]
    try:
        socket.socket(socket.AF_INET, kind, protocol).close()
    except OSError:
        return False
    return True


def require_sctp(name: str) -> None:
    """Raise NetworkProblem `no-sctp` where a container of that name cannot have such a port."""
    if not has_sctp():
        raise NetworkProblem(
            f"container {name}: its ports cannot be published: this kernel has no SCTP",
            hint="`modprobe sctp` where the module is only not there yet",
            code="no-sctp",
        )


def _freedom(port: Mapping[str, Any]) -> int:
    wanted = port["published"]
    return 1 << 16 if wanted is None else wanted[1] - wanted[0]


def _reserve_one(port: Mapping[str, Any]) -> list[Reservation]:
    first, last = port["published"] or (0, 0)
    numbers = range(first, last + 1) if first else [0] * _EPHEMERAL_ATTEMPTS
    for number in numbers:
        try:
            return _reserve_number(port, number)
        except PortTaken:
            if first == last and first:
                raise
    raise PortTaken(port["protocol"], port["bindings"][0]["host_ip"], first, last)


def _reserve_number(port: Mapping[str, Any], number: int) -> list[Reservation]:
    """All addresses under one number; 0: the kernel's choice for the first of them."""
    done: list[Reservation] = []
    try:
        for binding in port["bindings"]:
            done += reserve_binding(port, binding, done[0].published if done else number)
    except BaseException:
        close(done)
        raise
    return done


def reserve_binding(
    port: Mapping[str, Any], binding: Mapping[str, Any], number: int
) -> list[Reservation]:
    """One address of a port; none where the host has no such IP version, and it can be done
    without. Raises as `reserve`."""
    bound = _bind_for(port["protocol"], binding, number)
    if bound is None:
        return []
    place = port["protocol"], binding["host_ip"], port["target"]
    return [Reservation(bound, *place, relayed=binding["relayed"])]


def _bind_for(protocol: str, binding: Mapping[str, Any], number: int) -> socket.socket | None:
    """None where the host has no such IP version, and the binding can be done without."""
    host_ip = binding["host_ip"]
    try:
        return _bind(protocol, host_ip, number, takes_clients=binding["relayed"])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(protocol, host_ip, number) from None
        if binding["optional"] and error.errno in _NO_SUCH_VERSION:
            return None
        if error.errno == errno.EADDRNOTAVAIL:
            raise AddressMissing(protocol, host_ip, number) from None
        what = f"bind {host_ip}:{number}/{protocol}: {os.strerror(error.errno or 0)}"
        raise OSError(error.errno, what) from None


def _bind(protocol: str, host_ip: str, number: int, *, takes_clients: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host_ip else socket.AF_INET
    kind, number_of_protocol = _KINDS[protocol]
    opened = socket.socket(family, kind | socket.SOCK_CLOEXEC, number_of_protocol)
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if not takes_clients:
            opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _DROP_ALL_PROGRAM)
        if protocol == "tcp":  # connections of an earlier holder may linger in TIME_WAIT
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host_ip, number))
        if protocol != "udp":  # else another socket with SO_REUSEADDR could bind it too
            opened.listen(_BACKLOG if takes_clients else 1)
    except BaseException:
        opened.close()
        raise
    return opened


def set_taking(bound: socket.socket, protocol: str, *, takes_clients: bool) -> None:
    """Have a reserving socket take clients from now on, or nothing at all."""
    if takes_clients:
        bound.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    else:
        bound.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _DROP_ALL_PROGRAM)
    if protocol != "udp":
        bound.listen(_BACKLOG if takes_clients else 1)


def close(reservations: Iterable[Reservation]) -> None:
    """Give ports back; may be repeated."""
    for reservation in reservations:
        reservation.close()
