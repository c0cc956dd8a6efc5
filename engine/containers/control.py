"""The control socket of a monitor: one JSON object per packet, each with one answer."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.kernel.loop import Loop

SOCKET_NAME = "control"
_PACKET_BYTES = 65536
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid


class Connection:
    """One client of a monitor. `answer` may come long after the request."""

    def __init__(self, server: Server, peer: socket.socket) -> None:
        self._server, self.peer = server, peer

    def answer(self, **reply: object) -> None:
        """Send the answer and hang up; a client that has gone is no concern."""
        with contextlib.suppress(OSError):
            self.peer.send(json.dumps(reply).encode())
        self._server.forget(self)

    def take_over(self) -> socket.socket:
        """The socket, for who has other uses for it: no more requests come by it."""
        return self._server.release(self)

    def fileno(self) -> int:
        """For the loop."""
        return self.peer.fileno()

    def receive(self) -> dict[str, Any] | None:
        """The next request; None once the client has hung up, or has sent what is none."""
        try:
            packet = self.peer.recv(_PACKET_BYTES)
        except BlockingIOError:
            return {}
        except OSError:
            return None
        try:
            request = json.loads(packet)
        except (ValueError, RecursionError):
            return None
        return request if isinstance(request, dict) and "do" in request else None

    def close(self) -> None:
        """Hang up."""
        self.peer.close()


class Server:
    """Listens in the container's run directory, which only root may enter."""

    def __init__(
        self,
        loop: Loop,
        run_directory: str,
        handle: Callable[[Connection, dict[str, Any]], object],
    ) -> None:
        self._loop, self._handle = loop, handle
        self._path = f"{run_directory}/{SOCKET_NAME}"
        self._connections: dict[int, Connection] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        _remove(self._path)
        at_short_path(run_directory, self._socket.bind)
        self._socket.listen(16)
        loop.add_reader(self._socket.fileno(), self._accept)

    def forget(self, connection: Connection) -> None:
        """Drop a connection."""
        self.release(connection)
        connection.close()

    def release(self, connection: Connection) -> socket.socket:
        """Have nothing more to do with a connection; its socket."""
        self._loop.remove_reader(connection.fileno())
        self._connections.pop(connection.fileno(), None)
        return connection.peer

    def close(self) -> None:
        """Stop listening; clients see the end of their connection."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for connection in list(self._connections.values()):
            self.forget(connection)
        _remove(self._path)

    def _accept(self) -> None:
        try:
            peer, _ = self._socket.accept()
        except OSError:
            return
        if not _is_ours(peer):
            peer.close()
            return
        peer.setblocking(False)
        connection = Connection(self, peer)
        self._connections[connection.fileno()] = connection
        self._loop.add_reader(connection.fileno(), lambda: self._serve(connection))

    def _serve(self, connection: Connection) -> None:
        request = connection.receive()
        if request is None:
            self.forget(connection)
        elif request:
            self._handle(connection, request)


def _is_ours(peer: socket.socket) -> bool:
    """Whether root is at the other end, or who we are: whatever became of the directory's mode."""
    packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(packed)
    return uid in (0, os.geteuid())


def connect(run_directory: str) -> socket.socket | None:
    """A connection to the monitor of a container, None if it has none."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        at_short_path(run_directory, client.connect)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        client.close()
        return None
    return client


def connect_with(run_directory: str, request: dict[str, Any]) -> socket.socket | None:
    """The same, to a monitor that has been asked; None from one that is just ending, too."""
    client = connect(run_directory)
    if client is not None:
        try:
            client.send(json.dumps(request).encode())
        except ConnectionError:
            client.close()
            return None
    return client


def at_short_path(run_directory: str, call: Callable[[str], object]) -> None:
    """Call with a path of the socket that fits the 108 bytes of sun_path."""
    directory_fd = os.open(run_directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        call(f"/proc/self/fd/{directory_fd}/{SOCKET_NAME}")
    finally:
        os.close(directory_fd)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
