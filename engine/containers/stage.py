"""The stage: the small process from which monitors and execs are forked.

Run by itself, `python -SI stage.py FD ROOT`, once per command: a fork from here costs half a
millisecond and 0.6 MB, one from the command, with all its imports, 16 ms. It reads requests from
its socket and ends with it; what it has forked lives on.
"""

from __future__ import annotations

import contextlib
import gc
import json
import marshal
import os
import signal
import socket
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from engine.containers.join import run_inside
from engine.containers.monitor import monitor
from engine.containers.reporting import Reply
from engine.containers.sessions import MOST, begin_session
from engine.kernel.process import close_from, raise_file_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PACKET_BYTES = 1 << 20


_termination_fd = -1  # of a monitor: written to by a SIGTERM


def main(command_fd: int) -> None:
    """Serve the command at the other end of `command_fd` until it hangs up.

    Each request is read by the child that it is for: a page that this process writes to after a
    fork is one more that the forked monitor has for itself, so it does next to nothing.
    """
    command = socket.socket(fileno=command_fd)
    command.set_inheritable(False)
    close_from(command_fd + 1)  # what our command was given to hold, as a lock, is not ours to keep
    raise_file_limit()  # a monitor has a socket for each name it asks for; init sets its own
    _settle()
    while _has_request(command):
        taken_fd, taking_fd = os.pipe2(os.O_CLOEXEC)
        if os.fork() == 0:
            os.close(taken_fd)
            _serve(command, taking_fd)
        os.close(taking_fd)
        os.read(taken_fd, 1)  # ends with a child that was killed, too: the next one takes it
        os.close(taken_fd)


def _has_request(command: socket.socket) -> bool:
    """Wait for a request, which stays in the socket; False once the command has gone."""
    try:
        return bool(command.recv(1, socket.MSG_PEEK))
    except ConnectionResetError:  # without having read all answers
        return False


def _settle() -> None:
    """What all that are forked from here would have to do: done once, it costs them no memory."""
    null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for number in (0, 1, 2):  # who reads the command's output waits until nobody can write to it
        os.dup2(null_fd, number)
    os.close(null_fd)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):  # Ctrl-C is the command's
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    gc.collect()
    gc.freeze()


def _terminate(number: int, frame: object) -> None:
    """A monitor stops its container; the stage, and what is not yet a monitor, just ends."""
    del frame
    if _termination_fd < 0:
        os._exit(128 + number)
    os.eventfd_write(_termination_fd, 1)


def _serve(command: socket.socket, taking_fd: int) -> None:
    """In the forked child; never returns."""
    try:
        packet, fds, _, _ = socket.recv_fds(command, _PACKET_BYTES, 4)
        os.write(taking_fd, b"1")
        os.close(taking_fd)
        request = marshal.loads(packet)
        command.close()
        if request["do"] == "launch":
            _launch(request, fds)
        else:
            _exec(request, fds)
    finally:
        os._exit(1)


def _launch(request: dict[str, Any], fds: list[int]) -> None:
    """Become the monitor of a container; the command hears once how the start went.

    With two descriptors, the first is that of a client who is attached from the beginning.
    """
    global _termination_fd
    _termination_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    reply = Reply(fds[-1])
    clients = [(socket.socket(fileno=fd), request["attach"]) for fd in fds[:-1]]
    monitor(request["run_directory"], request["ours"], _termination_fd, reply, clients)
    os._exit(0)


def _exec(request: dict[str, Any], fds: list[int]) -> None:
    """Run a process in a container; the last descriptor is where its outcome goes."""
    report = socket.socket(fileno=fds[-1])
    stdio = (fds[0], fds[1], fds[2]) if len(fds) == 4 else None
    session_fd = begin_session(request["target"]["sessions"])
    if session_fd is None:
        _refuse(report)
    code = run_inside(request["target"], request["process"], stdio, report)
    with contextlib.suppress(OSError):
        report.send(json.dumps({"ended": code}).encode())
    os._exit(0)


def _refuse(report: socket.socket) -> None:
    what = f"{MOST} processes are being executed in the container: there are too many already"
    with contextlib.suppress(OSError):
        report.send(json.dumps({"code": "too-many", "what": what, "exit_code": 1}).encode())
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
