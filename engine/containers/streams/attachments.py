"""The monitor's end of `attach`: who is attached, and what they get.

A packet to a client is its kind and then bytes: of stdout or stderr, or JSON:
    {"input": "terminal" | "pipe"}  with a descriptor to write to: a dead monitor reads no keys
    {"skipped": 123}                so many bytes were not sent: the client was too slow
    {"ended": 0}                    the exit code; the last packet
A client that has nothing more to write says so with {"do": "end-input"}.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket

from engine.kernel.process import close_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.kernel.loop import Loop

SAID = b"\0"
KINDS = {"stdout": b"\1", "stderr": b"\2"}
BUFFER_BYTES = 1 << 20  # that the kernel keeps for a client
_SO_SNDBUFFORCE = 32  # include/uapi/asm-generic/socket.h
_REQUEST_BYTES = 4096


class Attachments:
    """The clients of one container; they are let go at the end of each run.

    has_room  called when those that are to get everything can take more again
    """

    def __init__(self, loop: Loop, *, stdin_once: bool) -> None:
        self._loop, self._stdin_once = loop, stdin_once
        self._clients: list[_Client] = []
        self._input: tuple[str, int] | None = None
        self.has_room: Callable[[], object] = lambda: None

    def add(self, peer: socket.socket, request: dict[str, Any]) -> None:
        """Attach a client. request: stdin (may it write), lossless (the program waits for it)."""
        client = _Client(peer, stdin=request["stdin"], lossless=request["lossless"])
        self._clients.append(client)
        self._loop.add_reader(peer.fileno(), lambda: self._hear(client))
        if self._input is not None:
            client.give(*self._input)

    def begin(self, kind: str, fd: int) -> None:
        """A run takes input: the write end of its pipe, or the master of its terminal.

        The pipe is ours from now on; the terminal is closed by who reads it.
        """
        self._input = kind, fd
        for client in self._clients:
            client.give(kind, fd)

    def send(self, stream: str, chunk: bytes) -> bool:
        """Pass on what the program has written; False: no more, until there is room again."""
        if not self._clients:
            return True
        packet = KINDS[stream] + chunk
        for client in tuple(self._clients):
            if not client.send(packet):
                self._forget(client)
            elif client.is_behind:
                self._loop.add_writer(client.fileno(), functools.partial(self._go_on, client))
        return not any(client.is_behind for client in self._clients)

    def end(self, exit_code: int) -> None:
        """The run has ended, and all that it wrote has been sent."""
        self._close_input()
        for client in tuple(self._clients):
            client.end(exit_code)
            self._forget(client)

    def _hear(self, client: _Client) -> None:
        said = client.receive()
        if said is None:
            self._forget(client)
        if client.stdin and said != "" and self._stdin_once:
            self._close_input()

    def _go_on(self, client: _Client) -> None:
        if not client.go_on():
            self._forget(client)
        elif client.is_behind:
            return
        else:
            self._loop.remove_writer(client.fileno())
        if not any(other.is_behind for other in self._clients):
            self.has_room()

    def _forget(self, client: _Client) -> None:
        self._loop.remove_reader(client.fileno())
        self._loop.remove_writer(client.fileno())
        was_behind = client.is_behind
        self._clients.remove(client)
        client.close()
        if was_behind and not any(other.is_behind for other in self._clients):
            self.has_room()

    def _close_input(self) -> None:
        if self._input is not None and self._input[0] == "pipe":
            os.close(self._input[1])
        self._input = None


class _Client:
    """One client. `stdin`: it may write."""

    __slots__ = ("_lossless", "_peer", "_skipped", "_waiting", "stdin")

    def __init__(self, peer: socket.socket, *, stdin: bool, lossless: bool) -> None:
        self._peer, self.stdin, self._lossless = peer, stdin, lossless
        self._waiting: list[bytes] = []
        self._skipped = 0
        peer.setblocking(False)
        with contextlib.suppress(OSError):  # without NET_ADMIN it is what it is
            peer.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, BUFFER_BYTES)

    @property
    def is_behind(self) -> bool:
        """Whether it is to get everything, and something waits for that."""
        return bool(self._waiting)

    def fileno(self) -> int:
        """For the loop."""
        return self._peer.fileno()

    def give(self, kind: str, fd: int) -> None:
        """A descriptor for its input; who may not write gets that of a terminal, for its size."""
        if self.stdin or kind == "terminal":
            with contextlib.suppress(OSError):  # it has gone, which is noticed when it is heard
                socket.send_fds(self._peer, [SAID + json.dumps({"input": kind}).encode()], [fd])

    def send(self, packet: bytes) -> bool:
        """Send, keep or skip; False once the client has gone."""
        if self._waiting:
            self._waiting.append(packet)
            return True
        try:
            if self._skipped:
                self._peer.send(_said(skipped=self._skipped))
                self._skipped = 0
            self._peer.send(packet)
        except BlockingIOError:
            if self._lossless:
                self._waiting.append(packet)
            else:
                self._skipped += len(packet) - 1
        except OSError:
            return False
        return True

    def go_on(self) -> bool:
        """Send what waits; False once the client has gone."""
        try:
            while self._waiting:
                self._peer.send(self._waiting[0])
                del self._waiting[0]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def receive(self) -> str | None:
        """What it asks for, "" for nothing; None once it has gone."""
        try:
            packet = self._peer.recv(_REQUEST_BYTES)
        except BlockingIOError:
            return ""
        except OSError:
            return None
        return _read_request(packet) if packet else None

    def end(self, exit_code: int) -> None:
        """Send what waits and the exit code; by a child that has time, where there is no room."""
        if self._skipped:
            self._waiting.append(_said(skipped=self._skipped))
        self._waiting.append(_said(ended=exit_code))
        if self.go_on() and self._waiting and os.fork() == 0:
            try:
                os.dup2(self._peer.fileno(), 0)
                close_from(1)
                peer = socket.socket(fileno=0)
                peer.setblocking(True)
                for packet in self._waiting:
                    peer.send(packet)
            finally:
                os._exit(0)
        self._waiting = []

    def close(self) -> None:
        """Hang up."""
        self._peer.close()


def _said(**what: int) -> bytes:
    return SAID + json.dumps(what).encode()


def _read_request(packet: bytes) -> str | None:
    """None for what is no request, as if the client had gone."""
    try:
        return str(json.loads(packet)["do"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
