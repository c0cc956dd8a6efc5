"""Hearing what a container writes, without being its standard streams: for one without a log."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING

from engine.containers.control import connect_with
from engine.containers.streams.attachments import KINDS, SAID
from engine.containers.streams.relay import CHUNK_BYTES
from engine.containers.streams.session import AttachSpec, Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.state.paths import Roots

_REQUEST = AttachSpec(stdin=False, lossless=True).request()
_STREAMS = {kind: name for name, kind in KINDS.items()}


class Listener:
    """Iterated over, it gives ("stdout" | "stderr", bytes), to the end of the present run.

    peer  connection to the monitor, which has been asked
    """

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._peer.setblocking(False)

    async def __aiter__(self) -> AsyncIterator[tuple[str, bytes]]:
        """Closed at the end."""
        loop = asyncio.get_running_loop()
        with self._peer:
            while packet := await self._receive(loop):
                kind, rest = packet[:1], packet[1:]
                if kind in _STREAMS:
                    yield _STREAMS[kind], rest
                elif kind == SAID and "ended" in json.loads(rest):
                    return

    async def _receive(self, loop: asyncio.AbstractEventLoop) -> bytes:
        try:
            return await loop.sock_recv(self._peer, 2 * CHUNK_BYTES)
        except ConnectionError:
            return b""


def listener_at_start() -> tuple[Listener, Client]:
    """One for a container that is about to be started, and what the start is to be given."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Listener(ours), Client(peer=theirs, request=_REQUEST, size=None)


def listen(roots: Roots, container_id: str) -> Listener | None:
    """To one that runs; None where it has just ended."""
    peer = connect_with(roots.container_run(container_id), _REQUEST)
    return None if peer is None else Listener(peer)
