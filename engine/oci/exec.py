"""`exec`: a further process in a container."""

from __future__ import annotations

import json
import os
import socket

from engine.containers import join
from engine.containers.link import EXECUTING, TERMINAL, Link
from engine.containers.process import UNKNOWN_FAILURE, StartError
from engine.kernel.process import become_subreaper
from engine.oci import agent, console, waiting
from engine.oci.create import write_pid
from engine.oci.errors import OciProblem, start_failed
from engine.oci.foreground import Terminal, attend, hold_signals
from engine.oci.options import to_number
from engine.oci.process import read_process, unavailable
from engine.oci.section import Section, read_section
from engine.oci.store import Stored, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.oci.agent import Agent
    from engine.oci.log import Log
    from engine.oci.options import Given

_PACKET_BYTES = 1 << 16


def run(root: str, given: Given, log: Log) -> int:
    """The verb: 0 with --detach, else the exit code of the process, 128 + n by signal n."""
    container = find(root, given.arguments[0])
    status = container.status()
    if status == "stopped":
        raise OciProblem("cannot exec in a stopped container", code="stopped")
    if status == "paused" and not given.flag("ignore-paused"):
        raise OciProblem("cannot exec in a paused container", code="paused")
    config = container.config()
    process = _process(config, given)
    for name in unavailable(process):
        log.write_warning(f"capability {name} cannot be granted here")
    terminal = None if given.flag("detach") else Terminal()
    take = console.taker(given.text("console-socket"), terminal, process["terminal"])
    if not given.flag("detach"):
        become_subreaper()
        hold_signals()
    answering = agent.attach(config["linux"]["seccomp"], process, container.shown())
    target = _target(container, config["buoy"]["seccomp"], given.text("cgroup"))
    pid = _fork(target, process, take, answering)
    if given.text("pid-file"):
        write_pid(given.text("pid-file"), pid)
    if given.flag("detach"):
        return 0
    return attend(pid, terminal if terminal is not None and terminal.master_fd >= 0 else None)


def _process(config: dict[str, Any], given: Given) -> dict[str, Any]:
    """From --process, or that of the container with what the command line changes."""
    if given.text("process"):
        described = read_section(given.text("process"), "process")
    else:
        described = Section(_changed(config["process"], given), "process")
    process = read_process(described)
    process["preserve_fds"] = given.number("preserve-fds") or 0
    for key in ("filter_flags", "personality"):
        process[key] = config["process"][key]
    return process


def _changed(process: dict[str, Any], given: Given) -> dict[str, Any]:
    if len(given.arguments) < 2:
        raise OciProblem("process args cannot be empty", code="usage")
    user = dict(process["user"])
    if given.text("user"):
        uid, _, gid = given.text("user").partition(":")
        user |= {"uid": to_number("user", uid), "gid": to_number("user", gid or "0")}
    user["additionalGids"] = [*user["additionalGids"], *given.numbers("additional-gids")]
    added = [f"CAP_{name.upper().removeprefix('CAP_')}" for name in given.texts("cap")]
    sets = {
        kind: [*names, *added] if kind in ("bounding", "effective", "permitted") else names
        for kind, names in process["capabilities"].items()
    }
    return {
        **process,
        "args": given.arguments[1:],
        "env": [*process["env"], *given.texts("env")],
        "cwd": given.text("cwd") or process["cwd"],
        "terminal": given.flag("tty"),
        "user": user,
        "capabilities": sets,
        "noNewPrivileges": process["noNewPrivileges"] or given.flag("no-new-privs"),
        "apparmorProfile": given.text("apparmor") or process["apparmorProfile"],
        "selinuxLabel": given.text("process-label"),
    }


def _target(container: Stored, filter_path: str | None, below: str) -> dict[str, Any]:
    """Where to go, for `join.enter`. below: a group within the container's own"""
    directories = dict.fromkeys(container.state["cgroups"].values())
    inside = os.path.normpath(f"/{below.strip('/')}").rstrip("/")  # `..` leads nowhere
    return {
        "pid": container.pid,
        "started": container.state["started"],
        "cgroups": [f"{directory}{inside}" for directory in directories],
        "filter": filter_path,
    }


class Joining(Link):
    """The link to the command: it hears of the execve by the end of the socket.

    answering  for the filter: it is to know the pid that this process has outside
    """

    def __init__(self, sync: socket.socket, answering: Agent | None) -> None:
        super().__init__(sync)
        self._answering = answering
        self._told_fd, self._telling_fd = os.pipe2(os.O_CLOEXEC)

    def tell(self, pid: int) -> None:
        """From the outside."""
        os.write(self._telling_fd, str(pid).encode())

    def before_program(self, config: dict[str, Any]) -> None:
        """Nobody's death ends it."""
        del config
        if self._answering is not None:
            self._answering.pid = int(os.read(self._told_fd, 16))
        self.sync.send(EXECUTING)


def _fork(
    target: dict[str, Any],
    process: dict[str, Any],
    take: Callable[[int], object] | None,
    answering: Agent | None,
) -> int:
    """The process, as soon as it has been executed: its pid. Raises OciProblem."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        ours.close()
        _enter_and_fork(target, process, Joining(theirs, answering))
    theirs.close()
    with ours:
        try:
            return _attend(ours, take, process["args"][0])
        finally:
            os.waitpid(child, 0)


def _attend(peer: socket.socket, take: Callable[[int], object] | None, name: str) -> int:
    """What both children say, in whatever order, until the end of the socket."""
    pid, executing = 0, False
    while True:
        message, fds, _, _ = socket.recv_fds(peer, _PACKET_BYTES, 1)
        if message == EXECUTING:
            executing = True
        elif message == TERMINAL and take is not None:
            take(fds[0])
        elif not message:
            break
        elif "pid" in (report := json.loads(message)):
            pid = report["pid"]
        else:
            raise start_failed(report, name)
    if not executing:
        raise start_failed(waiting.KILLED, name)
    return pid


def _enter_and_fork(target: dict[str, Any], process: dict[str, Any], link: Joining) -> None:
    """In the child; never returns. What it forks is in the container, and soon an orphan."""
    try:
        program = join.prepare(target, process, None if process["terminal"] else (0, 1, 2))
        pid = os.fork()
        if pid == 0:
            join.execute(program, process, link.send_terminal, lambda: link.before_program({}))
        link.tell(pid)
        link.sync.send(json.dumps({"pid": pid}).encode())
    except StartError as error:
        link.report(error.code, error.what, error.exit_code)
    except OSError as error:
        link.report("exec", str(error), UNKNOWN_FAILURE)
    except BaseException as error:
        link.report("exec", f"exec failed: {type(error).__name__}: {error}", UNKNOWN_FAILURE)
        raise
    finally:
        os._exit(UNKNOWN_FAILURE)
