"""A command's end of `attach`: our standard streams are those of a container."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.containers.streams.attachments import KINDS, SAID
from engine.containers.streams.keyboard import raw_terminal, same_size, type_into
from engine.containers.streams.keys import DEFAULT
from engine.containers.streams.relay import CHUNK_BYTES, close_quietly, copy_in_thread, write

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

# All but those that say something of our own process, or that only the kernel sends.
_FORWARDED = tuple(
    getattr(signal, f"SIG{name}")
    for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "CONT", "TSTP", "IO", "PWR")
)
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_TARGETS = {KINDS["stdout"]: 1, KINDS["stderr"]: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachSpec:
    """How to be attached.

    stdin        our input goes to the container, if it takes any
    keys         detach from a terminal, as in `ctrl-p,ctrl-q`
    sig_proxy    signals that we get go to the container, unless it has a terminal
    lossless     its program waits for us where we are slow; otherwise we miss something
    """

    stdin: bool = True
    keys: str = DEFAULT
    sig_proxy: bool = True
    lossless: bool = False

    def request(self) -> dict[str, object]:
        """What a monitor is asked."""
        return {"do": "attach", "stdin": self.stdin, "lossless": self.lossless}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who is attached to a container that is only about to be started.

    peer     the monitor's end of the connection
    request  what the monitor is asked
    size     rows and columns of the terminal that it gets
    """

    peer: socket.socket
    request: dict[str, object]
    size: tuple[int, int] | None


class Session:
    """One attachment, from the first packet to the end of the run or to the keys that detach.

    peer     connection to the monitor, which has been asked
    keys     what the spec's come to
    forward  sends a signal to the container
    warn     is told what the user should know
    """

    def __init__(
        self,
        peer: socket.socket,
        spec: AttachSpec,
        keys: bytes,
        forward: Callable[[signal.Signals], Coroutine[Any, Any, object]],
        warn: Callable[[str], object],
    ) -> None:
        self._peer, self._spec, self._keys = peer, spec, keys
        self._forward, self._warn = forward, warn
        self._tasks: set[asyncio.Task[object]] = set()
        self._stack = contextlib.ExitStack()
        self._on_terminal = False
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[int | None] = self._loop.create_future()

    async def run(self) -> int | None:
        """The exit code of the container; None where it was detached from, and runs on.

        Raises ConnectionResetError where the monitor ended without a word.
        """
        self._peer.setblocking(False)
        self._loop.add_reader(self._peer.fileno(), self._receive)
        with self._stack, self._signals():
            try:
                return await self._done
            finally:
                self._loop.remove_reader(self._peer.fileno())

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        forwarded = _FORWARDED if self._spec.sig_proxy else ()
        for number in forwarded:
            self._loop.add_signal_handler(number, self._send, number)
        try:
            yield
        finally:
            for number in forwarded:
                self._loop.remove_signal_handler(number)

    def _send(self, number: signal.Signals) -> None:
        """Keys are signals enough for a container with a terminal: others are meant for us."""
        if self._on_terminal:
            if number in _ENDING:
                self._finish(128 + number)
            return
        task = self._loop.create_task(self._forward(number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _receive(self) -> None:
        try:
            packet, fds, _, _ = socket.recv_fds(self._peer, 2 * CHUNK_BYTES, 1)
        except (BlockingIOError, ConnectionResetError):
            return  # reset, since it has not read our last word: what it sent is still to come
        kind, rest = packet[:1], packet[1:]
        if kind in _TARGETS:
            if not write(_TARGETS[kind], rest):
                self._finish(128 + signal.SIGPIPE)
        elif kind == SAID:
            self._hear(json.loads(rest), fds)
        elif not self._done.done():
            self._done.set_exception(ConnectionResetError("the container's monitor has ended"))

    def _hear(self, said: dict[str, Any], fds: list[int]) -> None:
        if "input" in said:
            self._take_input(said["input"], fds[0])
        elif "skipped" in said:
            self._warn(f"{said['skipped']} bytes of output were skipped: we were too slow")
        elif "ended" in said:
            self._finish(said["ended"])

    def _take_input(self, kind: str, fd: int) -> None:
        if kind == "terminal":
            self._on_terminal = True
            self._stack.callback(close_quietly, fd)
            self._stack.enter_context(same_size(fd, redraw=True))
            if self._spec.stdin:
                self._stack.enter_context(raw_terminal())
                type_into(fd, self._keys, lambda: self._finish(None))
        else:
            copy_in_thread(0, lambda chunk: write(fd, chunk), lambda: self._end_input(fd))

    def _end_input(self, fd: int) -> None:
        """In the thread: our input has ended, or the container's."""
        close_quietly(fd)
        with contextlib.suppress(OSError):
            self._peer.send(b'{"do": "end-input"}')

    def _finish(self, code: int | None) -> None:
        if not self._done.done():
            self._done.set_result(code)
