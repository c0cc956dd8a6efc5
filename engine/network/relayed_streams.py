"""Connections that are relayed: copied both ways, each half to its end."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.network.relay import Listener, Relay

_PIPE_BYTES = 1 << 18
_SPARE_PIPES = 8
_TURNS = 16
_SPLICE = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: the client sees a reset


def accepting(relay: Relay, listener: Listener) -> Callable[[], None]:
    """What is done when somebody wants to connect."""

    def accept() -> None:
        try:
            client, _ = listener.reserved.accept()
        except OSError:  # gone again
            return
        if relay.enter():
            _Connection(relay, client, listener)
        else:
            client.close()

    return accept


class _Connection:
    """A client's connection and ours to the container, copied both ways, each half to its end."""

    __slots__ = ("_client", "_halves", "_inside", "_relay")

    def __init__(self, relay: Relay, client: socket.socket, listener: Listener) -> None:
        client.setblocking(False)
        self._relay, self._client = relay, client
        self._inside = listener.connection()
        self._halves: list[_Half] = []
        result = self._inside.connect_ex(listener.target)
        if result in (0, errno.EINPROGRESS):
            relay.loop.add_writer(self._inside.fileno(), self._connected)
        else:
            self.abort()

    def _connected(self) -> None:
        loop = self._relay.loop
        loop.remove_writer(self._inside.fileno())
        if self._inside.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.abort()
            return
        for source, sink in ((self._client, self._inside), (self._inside, self._client)):
            self._halves.append(_Half(self._relay, source, sink, self))

    def half_ended(self, half: _Half) -> None:
        """All of one direction has been passed on."""
        half.close()
        self._halves.remove(half)
        if not self._halves:
            self._close()

    def abort(self) -> None:
        """Either side has gone, or never came."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._close()

    def _close(self) -> None:
        for half in self._halves:
            half.close()
        self._halves.clear()
        for end in (self._client, self._inside):
            self._relay.loop.remove_reader(end.fileno())
            self._relay.loop.remove_writer(end.fileno())
            end.close()
        self._relay.left()


class _Half:
    """One direction: spliced through a pipe, so that the bytes stay in the kernel. It has one only
    while something is on its way."""

    __slots__ = ("_connection", "_ended", "_held", "_loop", "_pipe", "_pipes", "_sink", "_source")

    def __init__(
        self,
        relay: Relay,
        source: socket.socket,
        sink: socket.socket,
        connection: _Connection,
    ) -> None:
        self._loop, self._pipes = relay.loop, relay.pipes
        self._source, self._sink, self._connection = source, sink, connection
        self._pipe: tuple[int, int] | None = None
        self._held = 0  # bytes in the pipe
        self._ended = False
        self._loop.add_reader(source.fileno(), self._take)

    def _take(self) -> None:
        """Pass on what there is, unless there is so much that others would wait."""
        for _ in range(_TURNS):
            if not self._take_some():
                return

    def _take_some(self) -> bool:
        """Whether there may be more, and room for it."""
        pipe = self._pipe = self._pipe or self._pipes.take()
        try:
            count = os.splice(self._source.fileno(), pipe[1], _PIPE_BYTES, flags=_SPLICE)
        except BlockingIOError:
            self.close()
            return False
        except OSError:
            self._connection.abort()
            return False
        self._held += count
        if not count:
            self._ended = True
            self._loop.remove_reader(self._source.fileno())
        return self._give(pipe)

    def _give(self, pipe: tuple[int, int]) -> bool:
        """Whether all has been passed on, and more may come."""
        while self._held:
            try:
                sent = os.splice(pipe[0], self._sink.fileno(), self._held, flags=_SPLICE)
            except BlockingIOError:
                self._loop.remove_reader(self._source.fileno())
                self._loop.add_writer(self._sink.fileno(), lambda: self._go_on(pipe))
                return False
            except OSError:
                self._connection.abort()
                return False
            self._held -= sent
        self.close()
        if self._ended:
            self._end()
        return not self._ended

    def _go_on(self, pipe: tuple[int, int]) -> None:
        """There is room again."""
        self._loop.remove_writer(self._sink.fileno())
        if self._give(pipe):
            self._loop.add_reader(self._source.fileno(), self._take)

    def _end(self) -> None:
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError:  # it has gone meanwhile
            self._connection.abort()
            return
        self._connection.half_ended(self)

    def close(self) -> None:
        """Give the pipe back; what is in it is lost."""
        if self._pipe is not None:
            self._pipes.give_back(self._pipe, is_empty=not self._held)
            self._pipe = None


class Pipes:
    """Those that are empty, for whoever has something to pass on next."""

    def __init__(self) -> None:
        self._spare: list[tuple[int, int]] = []

    def take(self) -> tuple[int, int]:
        """An empty one."""
        return self._spare.pop() if self._spare else _new_pipe()

    def give_back(self, pipe: tuple[int, int], *, is_empty: bool) -> None:
        """It is somebody else's from now on."""
        self._spare.append(pipe)
        if not is_empty or len(self._spare) > _SPARE_PIPES:
            _close(self._spare.pop())

    def close(self) -> None:
        """Keep none; may be repeated."""
        while self._spare:
            _close(self._spare.pop())


def _new_pipe() -> tuple[int, int]:
    pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    with contextlib.suppress(PermissionError):  # a user has had all that pipes may have
        fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return pipe


def _close(pipe: tuple[int, int]) -> None:
    for fd in pipe:
        os.close(fd)
