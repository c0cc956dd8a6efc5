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
from engine.containers.monitor import monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PACKET_BYTES = 1 << 20


def main(command_fd: int) -> None:
    """Serve the command at the other end of `command_fd` until it hangs up."""
    command = socket.socket(fileno=command_fd)
    command.set_inheritable(False)
    _settle()
    while True:
        try:
            packet, fds, _, _ = socket.recv_fds(command, _PACKET_BYTES, 4)
        except ConnectionResetError:  # it has gone without reading all answers
            return
        if not packet:
            return
        _reap()
        request = json.loads(packet)
        termination_fd = _expect_termination()
        if os.fork() == 0:
            _serve(command, request, fds, termination_fd)
        for fd in (*fds, termination_fd):
            os.close(fd)


def _settle() -> None:
    """What all that are forked from here would have to do: done once, it costs them no memory."""
    null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null_fd, 0)
    os.dup2(null_fd, 1)
    os.close(null_fd)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):  # Ctrl-C is the command's
        signal.signal(number, signal.SIG_IGN)
    gc.collect()
    gc.freeze()


def _expect_termination() -> int:
    """A descriptor that a SIGTERM makes readable, in this process and what it forks next."""
    fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    signal.signal(signal.SIGTERM, lambda *_: os.eventfd_write(fd, 1))
    return fd


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _serve(
    command: socket.socket, request: dict[str, Any], fds: list[int], termination_fd: int
) -> None:
    """In the forked child; never returns."""
    try:
        if request["do"] == "launch":
            _launch(command, request, termination_fd)
        else:
            command.close()
            _exec(request, fds)
    finally:
        os._exit(1)


def _launch(command: socket.socket, request: dict[str, Any], termination_fd: int) -> None:
    """Become the monitor of a container; `command` hears once how the start went."""

    def report(**outcome: object) -> None:
        # the command may have been killed, or have heard of the first start
        with contextlib.suppress(OSError):
            command.send(json.dumps({"id": request["id"], **outcome}).encode())
        command.close()

    try:
        monitor(request["run_directory"], request["ours"], termination_fd, report)
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
