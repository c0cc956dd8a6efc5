"""The start of one init, as its monitor sees it: from the fork to execve or a failure."""

from __future__ import annotations

import json
import os
import signal
import socket

from engine.containers.init import EXECUTING
from engine.kernel.namespaces import CLONE_NEWPID, open_own, setns, unshare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.containers.init import Init
    from engine.kernel.loop import Loop


class Launching:
    """Forks `init` into a new pid namespace, where it waits for `release`.

    outputs  "stdout" and "stderr" -> descriptor to read from; without a terminal
    error    why it could not start, once that is known
    """

    def __init__(
        self, loop: Loop, init: Init, sync: socket.socket, terminal: bool, stdin_open: bool
    ) -> None:
        self._loop, self._sync = loop, sync
        self._sync_open, self._executing = True, False
        self.error: dict[str, Any] | None = None
        self.outputs: dict[str, int] = {}
        self._stdin_fd: int | None = None
        stdio = self._make_stdio(terminal, stdin_open)
        self.pid = _fork_into_new_pid_namespace()
        if self.pid == 0:
            sync.close()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for number in (signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            init.run(stdio)
        for fd in set(stdio):
            os.close(fd)

    def release(self, running: Callable[[], object], terminal: Callable[[int], object]) -> None:
        """Let init go on; `terminal` gets the master, `running` is called after execve."""
        self._running, self._terminal = running, terminal
        self._sync.send(b"go")
        self._sync.setblocking(False)
        self._loop.add_reader(self._sync.fileno(), self._receive)

    def finish(self) -> dict[str, Any] | None:
        """Init has ended: the error it reported, if it did not get to run its program."""
        self._receive()
        if self._sync_open:
            self._close()
        if self._stdin_fd is not None:
            os.close(self._stdin_fd)
        if self.error is None and not self._executing:
            return {"code": "start", "what": "init was killed while it was starting"}
        return self.error

    def _make_stdio(self, terminal: bool, stdin_open: bool) -> tuple[int, int, int]:
        """Descriptors for init. With a terminal it makes its own and these are /dev/null."""
        null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        if terminal:
            return null_fd, null_fd, null_fd
        ends = []
        for stream in ("stdout", "stderr"):
            read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(read_fd, False)
            self.outputs[stream] = read_fd
            ends.append(write_fd)
        if stdin_open:
            os.close(null_fd)
            null_fd, self._stdin_fd = os.pipe2(os.O_CLOEXEC)
        return null_fd, ends[0], ends[1]

    def _receive(self) -> None:
        """All that init has to say by now; the end of it is execve, or the end of init."""
        while self._sync_open:
            try:
                message, fds, _, _ = socket.recv_fds(self._sync, 65536, 1)
            except BlockingIOError:
                return
            if fds:
                os.set_blocking(fds[0], False)
                self._terminal(fds[0])
            elif message == EXECUTING:
                self._executing = True
            elif message:
                self.error = json.loads(message)
            else:
                self._close()
                if self.error is None and self._executing:
                    self._running()

    def _close(self) -> None:
        self._loop.remove_reader(self._sync.fileno())
        self._sync.close()
        self._sync_open = False


def _fork_into_new_pid_namespace() -> int:
    """fork(2); the child is process 1 of a namespace of its own, later children are not in it."""
    own_fd = open_own("pid")
    unshare(CLONE_NEWPID)
    pid = os.fork()
    if pid:
        setns(own_fd, CLONE_NEWPID)
        os.close(own_fd)
    return pid
