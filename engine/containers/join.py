"""A further process in a container that runs: `exec` and health probes.

Called in a child that may block, of the stage or of the monitor; that child stays outside the pid
namespace, out of the container's sight, and its own child is the process inside. It is confined
before it forks that: with SYS_PTRACE a container can lead whatever comes into its sight, and must
not find there what may more than itself.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import sys

from engine.cgroups.entrance import go_in
from engine.containers import priorities, process
from engine.containers.link import TERMINAL
from engine.containers.namespaces import FLAGS
from engine.kernel import idmap
from engine.kernel.namespaces import is_shared, setns
from engine.kernel.process import die_with_parent, reset_signals, set_dumpable, start_time
from engine.kernel.terminal import open_terminal, set_window_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Ends what runs inside, its process group, by way of the process that waits for it. Not SIGTERM:
# that of a monitor means the container, and a fork of it is still that for a moment.
END_SIGNAL = signal.SIGUSR1
_KEPT = ("KILL",)  # for the one that waits: what it waits for may have become another user
_MAYBE_OURS = ("user", "time")  # to enter the own user namespace is refused
_MESSAGE_BYTES = 64
_CHUNK_BYTES = 65536


def run_inside(
    target: dict[str, Any],
    described: dict[str, Any],
    stdio: tuple[int, int, int] | None,
    report: socket.socket | None,
) -> int:
    """Run a process in the container and wait for it: its exit code, 128 + n by signal n.

    target     pid, started (ticks; see kernel.process.start_time), cgroups (directories to be in),
               filter (path of the seccomp program or None)
    described  `process` of config.json
    stdio      its descriptors; None: a terminal is made and sent over `report`
    report     gets {"code", "what", "exit_code"} where the process cannot be started, and after
               that, or else alone, {"started": true}; a terminal that comes by it is kept

    The exit code of a process that could not be started is the shell's: 126, 127, 128.
    """
    try:
        program = prepare(target, described, stdio)
        executed_fd, executing_fd = os.pipe2(os.O_CLOEXEC)  # its end is execve, or the child's
        child = os.fork()
    except (OSError, process.StartError) as error:
        return _failed(report, error)
    if child == 0:
        _run_child(program, described, report)
    signal.signal(END_SIGNAL, lambda number, frame: _end(child))
    inside = (0, 1, 2, *stdio) if stdio is not None else ()
    for fd in {executing_fd, *inside}:
        os.close(fd)
    os.read(executed_fd, 1)
    if report is not None:
        _send(report, {"started": True})
    if stdio is None and report is not None:
        _keep_terminal(child, report)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _end(leader: int) -> None:
    """SIGKILL for a process and its group, which it may not have made yet."""
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError):
            kill(leader, signal.SIGKILL)


def enter(target: dict[str, Any], described: dict[str, Any]) -> bytes | None:
    """Go where the container is, as far as it can be done without a fork; its filter.

    What is forked next is in the container. Raises OSError, StartError.
    """
    pidfd = os.pidfd_open(target["pid"])
    if start_time(target["pid"]) != target["started"]:  # the pid has been used again
        raise process.StartError("not-running", "the container is not running")
    filter_program = None
    if target["filter"]:
        with open(target["filter"], "rb") as file:
            filter_program = file.read()
    set_dumpable(False)
    priorities.pin(described, "initial")
    for directory in target["cgroups"]:
        _join_cgroup(directory, target["pid"])
    priorities.pin(described, "final")
    process.set_limits(described["rlimits"])
    priorities.apply(described)
    process.set_oom_score(described["oomScoreAdj"])
    shared = [kind for kind in _MAYBE_OURS if is_shared(target["pid"], kind)]
    setns(pidfd, sum(flag for kind, flag in FLAGS.items() if kind not in shared))
    if "user" not in shared:
        idmap.become_root()
    sys.meta_path.clear()  # an import would now run what the image has at our library's path
    os.close(pidfd)
    return filter_program


def prepare(
    target: dict[str, Any], described: dict[str, Any], stdio: tuple[int, int, int] | None
) -> process.Program:
    """Go there, become the user and give up what is not granted; what is forked next is in the
    container, and is to `execute`. Raises OSError, StartError."""
    program = process.Program(described, enter(target, described), kept=_KEPT)
    for wanted, fd in enumerate(stdio or ()):
        os.dup2(fd, wanted)
    os.umask(0o022)
    program.become_user()
    if not program.has_listener:
        program.confine()
    return program


def execute(
    program: process.Program,
    described: dict[str, Any],
    send_terminal: Callable[[int], object],
    before_program: Callable[[], object],
) -> None:
    """In the child. Returns only by OSError, StartError.

    send_terminal   gets the master of the terminal, for good, where there is to be one
    before_program  called last, when there is a program to execute
    """
    os.setsid()
    if described["terminal"]:
        _make_terminal(described, send_terminal)
    program.look_up()
    program.label()
    before_program()
    reset_signals()
    if program.has_listener:  # takes a thread, which `prepare` could not make: setns(2), pid
        program.confine()
    program.execute()


def _join_cgroup(directory: str, init: int) -> None:
    """Be in a cgroup of the container; in that of its init where it has been delegated: one that
    has given controllers to those below takes no processes itself (cgroup v2)."""
    try:
        go_in(directory)
    except OSError as error:
        below = _below(directory, init)
        if error.errno != errno.EBUSY or not below:
            raise
        go_in(f"{directory}{below}")


def _below(directory: str, pid: int) -> str:
    """Where a process is below a cgroup of version 2: `/init.scope`; nothing where it is in it."""
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        for line in file:
            hierarchy, _, path = line.rstrip("\n").split(":", 2)
            if hierarchy == "0":
                return path.partition(f"/{os.path.basename(directory)}")[2]
    return ""


def _keep_terminal(child: int, report: socket.socket) -> None:
    """Until the child has ended, throw away what is written to a terminal that nobody else has."""
    pidfd = os.pidfd_open(child)
    poll = select.poll()
    for watched in (pidfd, report.fileno()):
        poll.register(watched, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == pidfd:
                return
            if fd == report.fileno():
                _, fds, _, _ = socket.recv_fds(report, _MESSAGE_BYTES, 1)
                poll.unregister(fd)
                for master_fd in fds:
                    os.set_blocking(master_fd, True)
                    poll.register(master_fd, select.POLLIN)
            elif not _read(fd):
                poll.unregister(fd)


def _read(fd: int) -> bool:
    """False at the end: EIO, once the last process has let go of the terminal."""
    try:
        return bool(os.read(fd, _CHUNK_BYTES))
    except OSError:
        return False


def _make_terminal(described: dict[str, Any], send_terminal: Callable[[int], object]) -> None:
    master_fd, peer_fd = open_terminal()
    size = described.get("consoleSize")
    if size:
        set_window_size(master_fd, size["height"], size["width"])
    send_terminal(master_fd)
    os.close(peer_fd)


def _run_child(
    program: process.Program, described: dict[str, Any], report: socket.socket | None
) -> None:
    """Never returns. The process dies with the one that waits for it."""

    def send_terminal(master_fd: int) -> None:
        assert report is not None  # who asks for a terminal is there to take it
        socket.send_fds(report, [TERMINAL], [master_fd])
        os.close(master_fd)

    try:
        execute(program, described, send_terminal, lambda: die_with_parent(os.getppid()))
    except (OSError, process.StartError) as error:
        os._exit(_failed(report, error))
    os._exit(process.UNKNOWN_FAILURE)


def _failed(report: socket.socket | None, error: OSError | process.StartError) -> int:
    if isinstance(error, process.StartError):
        code, what, exit_code = error.code, error.what, error.exit_code
    else:
        code, what, exit_code = "exec", str(error), process.UNKNOWN_FAILURE
    if report is not None:
        _send(report, {"code": code, "what": what, "exit_code": exit_code})
    else:
        os.write(2, what.encode() + b"\n")
    return exit_code


def _send(report: socket.socket, message: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # who asked has gone
        report.send(json.dumps(message).encode())
