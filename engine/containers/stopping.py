"""Asking monitors to stop and to send signals, and waiting for their end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from engine.containers.control import connect
from engine.containers.signals import signal_number
from engine.containers.statefile import (
    RESTART_NAME,
    lock_holder,
    take_lock,
)
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    import socket
    import sqlite3
    from collections.abc import Iterator

    from engine.state.paths import Roots

_PACKET_BYTES = 65536


async def stop(roots: Roots, row: sqlite3.Row, grace_s: float | None, signal: str | None) -> bool:
    """Returns once the monitor has cleaned up; False, at once, where there is none.

    Raises ContainerProblem where the kernel does not end a process that was killed.
    """
    number = signal_number(signal) if signal else None
    monitor = lock_holder(roots.container_run(row["id"]))
    answer = await ask(roots, row["id"], {"do": "stop", "grace_s": grace_s, "signal": number})
    if answer is not None and "error" in answer:
        raise ContainerProblem(
            f"container {row['name']}: {answer['error']}",
            hint="it waits for something in the kernel: a device, a file system, a freezer",
            code="container-not-ending",
        )
    if monitor is not None:
        await _end_of(monitor)
    return monitor is not None


@contextlib.contextmanager
def restarting(roots: Roots, container_id: str) -> Iterator[None]:
    """Stopped within, the container is about to be started again: who follows it stays."""
    run_directory = roots.container_run(container_id)
    os.makedirs(run_directory, mode=0o710, exist_ok=True)
    lock_fd = take_lock(run_directory, RESTART_NAME)
    try:
        yield
    finally:
        if lock_fd is not None:
            os.close(lock_fd)
            with contextlib.suppress(FileNotFoundError):  # which is how it is noticed
                os.unlink(f"{run_directory}/{RESTART_NAME}")


async def end_of_monitor(roots: Roots, container_id: str) -> None:
    """Until the container has no monitor."""
    monitor = lock_holder(roots.container_run(container_id))
    if monitor is not None:
        await _end_of(monitor)


async def kill(roots: Roots, container_id: str, signal: str) -> bool:
    """Send a signal; False where nothing runs."""
    request = {"do": "kill", "signal": signal_number(signal)}
    answer = await ask(roots, container_id, request)
    return bool(answer and answer.get("sent"))


async def _end_of(pid: int) -> None:
    """Until a process has ended: a monitor that has answered still holds its lock for a moment."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


async def ask(roots: Roots, container_id: str, request: dict[str, Any]) -> dict[str, Any] | None:
    """The monitor's answer; None where there is no monitor, or it ended without one."""
    run_directory = roots.container_run(container_id)
    if lock_holder(run_directory) is None:
        return None
    client = connect(run_directory)
    if client is None:
        return None
    with client:
        client.setblocking(False)
        packet = await _exchange(client, json.dumps(request).encode())
    return json.loads(packet) if packet else None


async def _exchange(client: socket.socket, packet: bytes) -> bytes:
    """The answer; nothing from a monitor that is just ending."""
    with contextlib.suppress(ConnectionError):
        client.send(packet)
        return await asyncio.get_running_loop().sock_recv(client, _PACKET_BYTES)
    return b""
