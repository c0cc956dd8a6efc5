"""The command's end of the stage: starting it, and asking it to launch and to exec."""

from __future__ import annotations

import asyncio
import contextlib
import json
import marshal
import os
import socket
from typing import TYPE_CHECKING, Any

from engine.kernel import interpreter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.containers.streams.session import Client
    from engine.state.paths import Roots

_STAGE_FILE = os.path.join(os.path.dirname(__file__), "stage.py")
_PACKET_BYTES = 1 << 16
_STAGE_FD = 3


class Stage:
    """One stage process, for the length of a command."""

    def __init__(self, roots: Roots) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.pid = _spawn(roots, theirs)

    async def launch(
        self, run_directory: str, ours: dict[str, Any], client: Client | None = None
    ) -> dict[str, Any]:
        """Start the container whose launch record is in `run_directory`.

        ours    the `buoy` section of that record
        client  who is attached before the program begins
        The outcome: {"pid"}, or {"code", "what", ...}.
        """
        reply, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with reply:
            with theirs:
                request = {"do": "launch", "run_directory": run_directory, "ours": ours}
                fds = [theirs.fileno()]
                if client is not None:
                    request["attach"] = client.request
                    fds.insert(0, client.peer.fileno())
                self._send(request, fds)
            reply.setblocking(False)
            packet = await asyncio.get_running_loop().sock_recv(reply, _PACKET_BYTES)
        if not packet:
            return {"code": "monitor-killed", "what": "its monitor was killed while it started"}
        outcome: dict[str, Any] = json.loads(packet)
        return outcome

    def exec(
        self, target: dict[str, Any], process: dict[str, Any], fds: Sequence[int]
    ) -> socket.socket:
        """Start a process in a container; what becomes of it is read from the returned socket.

        fds  stdin, stdout, stderr; none: a terminal is made, and comes as `terminal` with its fd
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            request = {"do": "exec", "target": target, "process": process}
            self._send(request, [*fds, theirs.fileno()])
        return ours

    def close(self) -> None:
        """Hang up: the stage ends, what it started goes on."""
        self._socket.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _send(self, request: dict[str, Any], fds: Sequence[int]) -> None:
        """The last of `fds` is where the answer goes: whoever dies on the way, it is closed."""
        packet = marshal.dumps(request)  # JSON would cost each monitor 0.2 MB to read
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, max(1 << 18, 4 * len(packet)))
        with contextlib.suppress(ConnectionError):
            socket.send_fds(self._socket, [packet], list(fds))


def _spawn(roots: Roots, stage_socket: socket.socket) -> int:
    """Start the stage. The environment stays behind: nothing of it is for containers."""
    program = interpreter.path()
    argv = [program, *interpreter.OPTIONS, _STAGE_FILE, str(_STAGE_FD), roots.root]
    with interpreter.read_only(program) as path:
        actions = [(os.POSIX_SPAWN_DUP2, stage_socket.fileno(), _STAGE_FD)]
        return os.posix_spawn(path, argv, {}, file_actions=actions)
