"""Init of a container that an OCI runtime makes: between `create` and `start` it is alone.

It waits on a socket in the container's directory, bound before it was forked: what it says of the
start goes back on the connection, which execve closes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket

from engine.containers.link import EXECUTING, GO, Link
from engine.containers.process import UNKNOWN_FAILURE, StartError
from engine.oci import agent, hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MOUNTED = b"mounted"  # the namespaces are made, and the mounts; the host's root is still there
READY = b"ready"  # it waits for `start`
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


class Waiting(Link):
    """The link to `create`, and then to `start`.

    listener  a listening SOCK_SEQPACKET socket
    state     of the container, as hooks get it
    """

    def __init__(self, sync: socket.socket, listener: socket.socket, state: dict[str, Any]) -> None:
        super().__init__(sync)
        self._listener, self._state = listener, state

    def wait(self) -> None:
        """Until init is in its cgroup. Nobody's death ends it."""
        if not self._may_go_on():
            os._exit(1)

    def before_root(self, config: dict[str, Any]) -> None:
        """The hooks of the runtime's namespaces are run by `create`, then those of ours here."""
        self.sync.send(MOUNTED)
        if not self._may_go_on():
            os._exit(1)
        self._run_hooks(config, "createContainer", "creating")
        state = {**self._state, "status": "creating", "pid": int(os.readlink("/proc/self"))}
        agent.attach(config["linux"]["seccomp"], config["process"], state)

    def before_program(self, config: dict[str, Any]) -> None:
        """Until `start` comes."""
        for number in _ENDING:  # a first process is spared by those that it does not handle
            signal.signal(number, _end)
        self.sync.send(READY)
        self.sync.close()
        while True:
            self.sync, _ = self._listener.accept()
            if self._may_go_on():
                break
            self.sync.close()
        self._run_hooks(config, "startContainer", "created")
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        self.sync.send(EXECUTING)

    def _run_hooks(self, config: dict[str, Any], moment: str, status: str) -> None:
        state = {**self._state, "status": status, "pid": os.getpid()}
        try:
            hooks.run_all(config, moment, state)
        except hooks.HookFailed as error:
            raise StartError("hook", str(error), UNKNOWN_FAILURE) from None


def _end(number: int, frame: object) -> None:
    del frame
    os._exit(128 + number)


def listen(directory: str, name: str) -> socket.socket:
    """The socket that a container waits on."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with _short(directory) as short:
        listener.bind(f"{short}/{name}")
    listener.listen(1)
    return listener


def let_start(directory: str, name: str) -> dict[str, Any] | None:
    """Let the program run: None once it has been executed, or the report of why it cannot be.

    Raises ConnectionRefusedError where init has gone.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        with _short(directory) as short:
            peer.connect(f"{short}/{name}")
        peer.send(GO)
        return outcome(peer)


@contextlib.contextmanager
def _short(directory: str) -> Iterator[str]:
    """Another path of it: that of a socket has 107 bytes."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def outcome(peer: socket.socket) -> dict[str, Any] | None:
    """What init says until the end of the socket: None for an execve, else the report."""
    executing = False
    while True:
        try:
            message = peer.recv(1 << 16)
        except ConnectionResetError:
            message = b""
        if message == EXECUTING:
            executing = True
        elif message:
            report: dict[str, Any] = json.loads(message)
            return report
        else:
            return None if executing else KILLED


KILLED: dict[str, Any] = {
    "code": "start",
    "what": "init was killed while it was starting",
    "exit_code": 128,
}
