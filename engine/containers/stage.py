"""The stage: the small process from which monitors and execs are forked.

Run by itself, `python -SI stage.py FD ROOT`, once per command: a fork from here costs half a
millisecond and 0.6 MB, one from the command, with all its imports, 16 ms. It reads requests from
its socket and ends with it; what it has forked lives on.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from engine.containers.join import run_inside
from engine.containers.monitor import Monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PACKET_BYTES = 1 << 20


def main(command_fd: int) -> None:
    """Serve the command at the other end of `command_fd` until it hangs up."""
    command = socket.socket(fileno=command_fd)
    command.set_inheritable(False)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here waits for monitors
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the command's to answer
    gc.collect()
    gc.freeze()
    while True:
        packet, fds, _, _ = socket.recv_fds(command, _PACKET_BYTES, 4)
        if not packet:
            return
        request = json.loads(packet)
        if os.fork() == 0:
            _serve(command, request, fds)
        for fd in fds:
            os.close(fd)


def _serve(command: socket.socket, request: dict[str, Any], fds: list[int]) -> None:
    """In the forked child; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        if request["do"] == "launch":
            _launch(command, request)
        else:
            command.close()
            _exec(request, fds)
    finally:
        os._exit(1)


def _launch(command: socket.socket, request: dict[str, Any]) -> None:
    """Become the monitor of a container; `command` hears once how the start went."""

    def report(**outcome: object) -> None:
        # the command may have been killed, or have heard of the first start
        with contextlib.suppress(OSError):
            command.send(json.dumps({"id": request["id"], **outcome}).encode())
        command.close()

    try:
        Monitor(request["run_directory"], report).run()
    except BaseException as error:
        report(code="monitor", what=f"the monitor failed: {type(error).__name__}: {error}")
        raise
    os._exit(0)


def _exec(request: dict[str, Any], fds: list[int]) -> None:
    """Run a process in a container; the last descriptor is where its outcome goes."""
    report = socket.socket(fileno=fds[-1])
    stdio = (fds[0], fds[1], fds[2]) if len(fds) == 4 else None
    code = run_inside(request["target"], request["process"], stdio, report)
    with contextlib.suppress(OSError):
        report.send(json.dumps({"ended": code}).encode())
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
