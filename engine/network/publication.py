"""One published port as an element of the firewall's maps."""

from __future__ import annotations

import socket
import struct

from engine.kernel.nftexpressions import IPV4, IPV6
from engine.network.ruleset import OPENED, PUBLISHED, PUBLISHED_AT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.kernel.nftables import Element
    from engine.kernel.nftexpressions import Header

PROTOCOLS = {
    "tcp": socket.IPPROTO_TCP,
    "udp": socket.IPPROTO_UDP,
    "sctp": socket.IPPROTO_SCTP,
}
ANY_ADDRESS, ANY_ADDRESS6 = "0.0.0.0", "::"
_ADDRESS_FAMILIES = {IPV4.family: socket.AF_INET, IPV6.family: socket.AF_INET6}


class Publication:
    """What a port is reached by, where it leads, whose it is.

    host_ip  of the host; or the container's own address, where the port is only let through
    address  of the container, of the family of `host_ip`
    holder   `<12 of the container id> <pid>.<start time>` of the monitor whose bound socket
             reserves the port: when that process is gone, the element is stale
    """

    __slots__ = ("address", "holder", "host_ip", "protocol", "published", "target")

    def __init__(
        self, protocol: str, host_ip: str, published: int, address: str, target: int, holder: str
    ) -> None:
        self.protocol = protocol
        self.host_ip = host_ip
        self.published = published
        self.address = address
        self.target = target
        self.holder = holder

    @classmethod
    def parse(cls, shown: str, addresses: Iterable[str], holder: str) -> Publication | None:
        """From `tcp/0.0.0.0:8080->80`, as `shown`; None where no address is of that family."""
        protocol, _, rest = shown.partition("/")
        at, _, target = rest.partition("->")
        host_ip, _, published = at.rpartition(":")
        host_ip = host_ip.strip("[]")
        address = address_for(host_ip, addresses)
        if address is None:
            return None
        return cls(protocol, host_ip, int(published), address, int(target), holder)

    @classmethod
    def of_element(cls, element: Element, header: Header) -> Publication:
        """As the kernel has it."""
        family, size = _ADDRESS_FAMILIES[header.family], header.size
        host_ip = ANY_ADDRESS if header is IPV4 else ANY_ADDRESS6
        if len(element.key) > 8:
            host_ip = socket.inet_ntop(family, element.key[:size])
        number, published = struct.unpack(">BxxxHxx", element.key[-8:])
        protocol = next(name for name, value in PROTOCOLS.items() if value == number)
        if not element.data:
            return cls(protocol, host_ip, published, host_ip, published, element.comment)
        address = socket.inet_ntop(family, element.data[:size])
        target = int.from_bytes(element.data[size : size + 2], "big")
        return cls(protocol, host_ip, published, address, target, element.comment)

    @property
    def shown(self) -> str:
        """`tcp/0.0.0.0:8080->80`, `tcp/[::]:8080->80`."""
        host = f"[{self.host_ip}]" if ":" in self.host_ip else self.host_ip
        return f"{self.protocol}/{host}:{self.published}->{self.target}"

    @property
    def header(self) -> Header:
        """Of the table that it belongs to."""
        return IPV6 if ":" in self.host_ip else IPV4

    @property
    def map(self) -> str:
        """The map that it is an element of; of ports that are let through, a set."""
        if self.host_ip == self.address:
            return OPENED
        return PUBLISHED if self.host_ip in (ANY_ADDRESS, ANY_ADDRESS6) else PUBLISHED_AT

    @property
    def key(self) -> bytes:
        """Its key in that map; fields are padded to four bytes."""
        start = b"" if self.map == PUBLISHED else self._packed(self.host_ip)
        return start + struct.pack(">BxxxHxx", PROTOCOLS[self.protocol], self.published)

    @property
    def data(self) -> bytes:
        """Container address and port; nothing, where nothing is translated."""
        if self.map == OPENED:
            return b""
        return self._packed(self.address) + struct.pack(">Hxx", self.target)

    def _packed(self, address: str) -> bytes:
        return socket.inet_pton(_ADDRESS_FAMILIES[self.header.family], address)


def address_for(host_ip: str, addresses: Iterable[str]) -> str | None:
    """The first of `addresses` of the same family, or None."""
    return next((one for one in addresses if (":" in one) == (":" in host_ip)), None)
