"""A prepared init on its way to the program of the image: execve, or a failure."""

from __future__ import annotations

import json
import os
import socket

from engine.containers.link import EXECUTING, GO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.containers.preparing import Prepared
    from engine.kernel.loop import Loop

_PACKET_BYTES = 1 << 16
_KILLED = {"code": "start", "what": "init was killed while it was starting"}


class Launching:
    """Lets init go and listens to it.

    running   called once its program has been executed
    terminal  called with the master of the terminal it has made
    """

    def __init__(
        self,
        loop: Loop,
        prepared: Prepared,
        running: Callable[[], object],
        terminal: Callable[[int], object],
    ) -> None:
        self._loop, self._sync = loop, prepared.sync
        self._running, self._terminal = running, terminal
        self._is_open, self._executing = True, False
        self._error: dict[str, Any] | None = None
        self._sync.setblocking(False)
        loop.add_reader(self._sync.fileno(), self._receive)
        try:
            self._sync.send(GO)
        except BrokenPipeError:  # it was killed
            return

    def finish(self) -> dict[str, Any] | None:
        """Init has ended: the error it reported, if it did not get to run its program."""
        self._receive()
        if self._is_open:
            self._close()
        if self._error is None and not self._executing:
            return _KILLED
        return self._error

    def _receive(self) -> None:
        """All that init has to say by now; the end of it is execve, or the end of init."""
        while self._is_open:
            try:
                message, fds, _, _ = socket.recv_fds(self._sync, _PACKET_BYTES, 1)
            except BlockingIOError:
                return
            except ConnectionResetError:  # it was killed before it had read `go`
                continue
            if fds:
                os.set_blocking(fds[0], False)
                self._terminal(fds[0])
            elif message == EXECUTING:
                self._executing = True
            elif message:
                self._error = json.loads(message)
            else:
                self._close()
                if self._error is None and self._executing:
                    self._running()

    def _close(self) -> None:
        self._loop.remove_reader(self._sync.fileno())
        self._sync.close()
        self._is_open = False
