"""Init's way to the process that started it: what it waits for, and whom it tells.

A monitor outlives its init and takes it along when it dies. An OCI runtime ends once the
container is made (engine.oci.waiting): the same init, with another link.
"""

from __future__ import annotations

import json
import os
import socket

from engine.kernel.process import die_with_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GO = b"go"
EXECUTING = b"exec"  # what follows is an error, or the end of the socket by execve
TERMINAL = b"terminal"  # with the descriptor of its master
_MESSAGE_BYTES = 16


class Link:
    """The link to a monitor. sync: init's end of a SOCK_SEQPACKET pair, closed by execve."""

    def __init__(self, sync: socket.socket) -> None:
        self.sync = sync

    def wait(self) -> None:
        """Until init may go on: it is in its cgroup, and watched."""
        if not self._may_go_on():
            os._exit(1)
        die_with_parent(os.getppid())  # `before_program` sees it if that has gone by now

    def before_root(self, config: dict[str, Any]) -> None:
        """All mounts are made; the host's root can still be seen."""

    def before_program(self, config: dict[str, Any]) -> None:
        """Who and where it shall be, init is by now; only the filter and execve are to come.

        The parent-death signal again, which setuid has cleared; was the parent quicker?
        """
        del config
        die_with_parent(os.getppid())
        try:
            self.sync.send(EXECUTING)
        except BrokenPipeError:
            os._exit(1)

    def send_terminal(self, master_fd: int) -> None:
        """The master of the container's terminal, which is not for init to keep."""
        socket.send_fds(self.sync, [TERMINAL], [master_fd])
        os.close(master_fd)

    def report(self, code: str, what: str, exit_code: int) -> None:
        """Why the program cannot be executed."""
        report = {"code": code, "what": what, "exit_code": exit_code}
        try:
            self.sync.send(json.dumps(report).encode())
        except OSError:  # the other end is gone, and this process with it
            return

    def _may_go_on(self) -> bool:
        """False where the other end is gone."""
        return self.sync.recv(_MESSAGE_BYTES) == GO
