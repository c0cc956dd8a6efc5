"""Being attached to a container that runs."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING

from engine.containers import starting
from engine.containers.availability import require_running
from engine.containers.control import connect_with
from engine.containers.observe import observe_state
from engine.containers.stopping import kill
from engine.containers.streams.keys import parse_keys
from engine.containers.streams.session import Client, Session
from engine.errors import ContainerProblem
from engine.kernel.terminal import window_size

if TYPE_CHECKING:
    import signal
    import sqlite3
    from collections.abc import Callable

    from engine.containers.containers import Containers
    from engine.containers.streams.session import AttachSpec


async def attach(
    containers: Containers, row: sqlite3.Row, spec: AttachSpec, warn: Callable[[str], object]
) -> int | None:
    """See Containers.attach. Raises NoKeys, too."""
    roots = containers.roots
    keys = parse_keys(spec.keys)
    require_running(row["name"], observe_state(roots, row["id"], row["started_at"]))
    peer = connect_with(roots.container_run(row["id"]), spec.request())
    if peer is None:
        raise ContainerProblem(f"container {row['name']} has ended", code="container-not-running")
    with peer:
        return await run_session(containers, row, peer, spec, keys, warn)


async def run_attached(
    containers: Containers, row: sqlite3.Row, spec: AttachSpec, warn: Callable[[str], object]
) -> int | None:
    """See Containers.run. Raises NoKeys, too."""
    keys = parse_keys(spec.keys)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    size = window_size(1) if sys.stdout.isatty() else None
    with ours:
        session = asyncio.ensure_future(run_session(containers, row, ours, spec, keys, warn))
        try:
            with theirs:
                client = Client(peer=theirs, request=spec.request(), size=size)
                await starting.start(containers, row, client)
            return await session
        except BaseException:
            session.cancel()
            await asyncio.wait((session,))
            if not session.cancelled():
                session.exception()  # it is the consequence of what is raised
            raise


async def run_session(
    containers: Containers,
    row: sqlite3.Row,
    peer: socket.socket,
    spec: AttachSpec,
    keys: bytes,
    warn: Callable[[str], object],
) -> int | None:
    """The same, with a connection that is or will be the monitor's. Raises ContainerProblem."""
    roots = containers.roots

    async def forward(number: signal.Signals) -> None:
        await kill(roots, row["id"], number.name)

    try:
        return await Session(peer, spec, keys, forward, warn).run()
    except ConnectionResetError as error:
        what = f"container {row['name']}: {error}"
        raise ContainerProblem(what, code="monitor-killed") from None
