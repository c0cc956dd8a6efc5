"""One DNS client over TCP: queries and answers, each with its length before it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from engine.kernel.loop import Loop, Timer

    Reply = Callable[[bytes], None]

IDLE_S = 10.0
_LARGEST_BYTES = 65_535
_MOST_UNREAD_BYTES = 1 << 20


class Connection:
    """A connection, from its acceptance until it is idle for IDLE_S or closed.

    answer   is given each query and how to reply to it, at once or later
    closed   is told of its end
    """

    __slots__ = ("_answer", "_closed", "_idle", "_in", "_loop", "_out", "_socket")

    def __init__(
        self,
        accepted: socket.socket,
        loop: Loop,
        answer: Callable[[bytes, Reply], None],
        closed: Callable[[Connection], None],
    ) -> None:
        accepted.setblocking(False)
        self._socket, self._loop, self._answer, self._closed = accepted, loop, answer, closed
        self._in, self._out = b"", b""
        self._idle: Timer = loop.call_later(IDLE_S, self.close)
        loop.add_reader(accepted.fileno(), self._read)

    def close(self) -> None:
        """Drop the connection; may be repeated."""
        if self._socket.fileno() < 0:
            return
        self._idle.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._closed(self)

    def _read(self) -> None:
        try:
            data = self._socket.recv(_LARGEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._idle.cancel()
        self._idle = self._loop.call_later(IDLE_S, self.close)
        self._in += data
        while len(self._in) >= 2 and self._socket.fileno() >= 0:
            end = 2 + int.from_bytes(self._in[:2], "big")
            if len(self._in) < end:
                return
            packet, self._in = self._in[2:end], self._in[end:]
            self._answer(packet, self._reply)

    def _reply(self, answer: bytes) -> None:
        if self._socket.fileno() < 0:  # it went away while we asked for it
            return
        self._out += len(answer).to_bytes(2, "big") + answer
        self._write()
        if len(self._out) > _MOST_UNREAD_BYTES:  # it asks and asks, and does not read
            self.close()

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self._out = self._out[sent:]
        if self._out:
            self._loop.add_writer(self._socket.fileno(), self._write)
        else:
            self._loop.remove_writer(self._socket.fileno())
