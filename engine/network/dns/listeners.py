"""The sockets of a container's DNS, in its own namespace."""

from __future__ import annotations

import contextlib
import socket

from engine.kernel import nftexpressions as nft
from engine.kernel.nftables import NftSocket
from engine.kernel.nftbatch import HOOK_OUTPUT, PRIORITY_DSTNAT, Batch

ADDRESS = "127.0.0.11"
PORT = 53

_TABLE, _CHAIN = "buoy_dns", "output"
_PROTOCOLS = (socket.IPPROTO_UDP, socket.IPPROTO_TCP)
_BACKLOG = 64
_BIND_ATTEMPTS = 20


class Listeners:
    """The UDP and the TCP socket of the server, on one and the same port."""

    __slots__ = ("tcp", "udp")

    def __init__(self, udp: socket.socket, tcp: socket.socket) -> None:
        self.udp = udp
        self.tcp = tcp

    @classmethod
    def open(cls) -> Listeners:
        """Bind both in the calling thread's namespace, and lead 127.0.0.11:53 to them.

        They do not bind port 53 themselves: a name server in the container could not bind
        0.0.0.0:53 then.
        """
        for attempt in range(_BIND_ATTEMPTS):
            try:
                return cls._open()
            except OSError:
                if attempt + 1 == _BIND_ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    @classmethod
    def _open(cls) -> Listeners:
        with contextlib.ExitStack() as undoing:
            udp = undoing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            tcp = undoing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            udp.bind((ADDRESS, 0))
            tcp.bind(udp.getsockname())
            tcp.listen(_BACKLOG)
            udp.setblocking(False)
            tcp.setblocking(False)
            listeners = cls(udp, tcp)
            listeners.redirect()
            undoing.pop_all()
        return listeners

    def redirect(self) -> None:
        """Lead 127.0.0.11:53 to them, in the calling thread's namespace; may be repeated."""
        _redirect(self.udp.getsockname()[1])

    def close(self) -> None:
        """Close both; may be repeated."""
        self.udp.close()
        self.tcp.close()


def is_redirected(netlink: NftSocket) -> bool:
    """Whether 127.0.0.11:53 leads somewhere, in the namespace of that socket."""
    return len(netlink.rules(_TABLE, _CHAIN)) == len(_PROTOCOLS)


def _redirect(port: int) -> None:
    batch = Batch(_TABLE)
    batch.add_table()
    batch.add_chain(_CHAIN, "nat", HOOK_OUTPUT, PRIORITY_DSTNAT)
    batch.flush_chain(_CHAIN)
    for protocol in _PROTOCOLS:
        batch.add_rule(
            _CHAIN,
            nft.destination_is(ADDRESS)
            + nft.load_meta(nft.META_L4PROTO)
            + nft.compare(bytes([protocol]))
            + nft.load_payload(nft.TRANSPORT_HEADER, 2, 2)
            + nft.compare(PORT.to_bytes(2, "big"))
            + nft.immediate(port.to_bytes(2, "big"))
            + nft.dnat(address=None, port=nft.REG_1),
        )
    with NftSocket() as netlink:
        netlink.commit(batch)
