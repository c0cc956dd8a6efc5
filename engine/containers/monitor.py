"""The process that watches one container: starts init, keeps its log, restarts it, cleans up.

Forked by the stage, with everything it needs imported by then. It depends on no other process; if
it dies, the kernel kills its init, frees the network with the last descriptor of it, and drops
the lock by which others know that the container has a monitor.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import time

from engine.cgroups.cgroup import Cgroup
from engine.cgroups.hierarchy import Hierarchies
from engine.containers import statefile
from engine.containers.control import Connection, Server
from engine.containers.health import Health
from engine.containers.init import Init
from engine.containers.launching import Launching
from engine.containers.logfile import LogFile
from engine.containers.restart import Restarts
from engine.kernel.loop import Loop, Timer
from engine.kernel.process import become_subreaper, set_name, start_time
from engine.network.ports import PortTaken
from engine.network.sandbox import Sandbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_CHUNK_BYTES = 65536


class Monitor:
    """One container, from the launch record in its run directory to its final exit."""

    def __init__(self, run_directory: str, report: Callable[..., object]) -> None:
        self._run_directory = run_directory
        self._report = report  # to the command that waits for the start
        config = statefile.read_json(f"{run_directory}/{statefile.CONFIG_NAME}")
        if config is None:
            raise FileNotFoundError(f"{run_directory}/config.json is missing or broken")
        self._config: dict[str, Any] = config
        self._ours: dict[str, Any] = config["buoy"]
        self._loop = Loop()
        self._restarts = Restarts(**self._ours["restart"])
        self._cgroup = Cgroup(Hierarchies.detect(), self._ours["cgroup_parent"], self._ours["id"])
        self._filter = _read_bytes(self._ours["seccomp"]) if self._ours["seccomp"] else None
        self._sandbox: Sandbox | None = None
        self._log: LogFile | None = None
        self._control: Server | None = None
        self._health: Health | None = None
        self._launching: Launching | None = None
        self._waiting: Timer | None = None  # for the next restart
        self._kill_timer: Timer | None = None
        self._stopped_by: list[Connection] = []
        self._stopping = False
        self._outputs: dict[str, int] = {}
        self._pid = 0
        self._started_s = 0.0
        self._oom_kills = 0
        self._state: dict[str, Any] = {
            "status": "created",
            "monitor": os.getpid(),
            "command": self._config["process"]["args"],
            "attachments": self._ours["attachments"],
        }

    def run(self) -> None:
        """Start the container and watch it to its end."""
        if statefile.take_lock(self._run_directory) is None:
            self._report(code="already-running", what="the container has a monitor already")
            return
        _become_monitor(self._ours["name"])
        wake_fd = self._watch_children()
        try:
            self._prepare()
        except PortTaken as error:
            self._give_up(
                {
                    "code": "port-taken",
                    "what": str(error),
                    "port": error.port,
                    "host_ip": error.host_ip,
                    "protocol": error.protocol,
                }
            )
            return
        except OSError as error:
            self._give_up({"code": "start", "what": str(error)})
            return
        self._launch()
        self._loop.run()
        os.close(wake_fd)

    def _watch_children(self) -> int:
        """A readable descriptor whenever a child has ended."""
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop(None, None))
        self._loop.add_reader(read_fd, lambda: self._reap(read_fd))
        return write_fd

    def _prepare(self) -> None:
        """What lasts over restarts: cgroup, network, log, control socket."""
        warnings = self._cgroup.create(self._config["linux"]["resources"])
        self._state["warnings"] = warnings
        self._oom_kills = self._cgroup.oom_kills()
        record = self._ours["network"]
        if record["mode"] != "host":
            self._sandbox = Sandbox.create(record, self._ours["id"])
            self._sandbox.serve(self._loop)
            self._state["ports"] = self._sandbox.published
        log = self._ours["log"]
        self._log = LogFile(log["directory"], log["max_size_bytes"], log["max_files"])
        self._control = Server(self._loop, self._run_directory, self._handle)

    # --- one run of init

    def _launch(self) -> None:
        self._waiting = None
        init_socket, own_socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        netns_fd = self._sandbox.netns_fd if self._sandbox else None
        init = Init(self._config, netns_fd, init_socket, self._filter)
        self._launching = Launching(
            self._loop,
            init,
            own_socket,
            self._config["process"]["terminal"],
            self._ours["stdin_open"],
        )
        self._pid = self._launching.pid
        init_socket.close()
        self._outputs = self._launching.outputs
        for stream, fd in self._outputs.items():
            self._watch_output(stream, fd)
        try:
            self._cgroup.attach(self._pid)
            if self._sandbox is not None:
                self._sandbox.register()
        except OSError as error:
            self._launching.error = {"code": "start", "what": str(error)}
            os.kill(self._pid, signal.SIGKILL)
            return
        self._launching.release(self._running, self._terminal)

    def _terminal(self, master_fd: int) -> None:
        self._outputs["stdout"] = master_fd
        self._watch_output("stdout", master_fd)

    def _running(self) -> None:
        """The program of the image has been executed."""
        self._started_s = time.monotonic()
        started = start_time(self._pid)
        target = {
            "pid": self._pid,
            "started": started,
            "cgroups": list(dict.fromkeys(self._cgroup.directories.values())),
            "filter": self._ours["seccomp"],
        }
        self._state.update(
            status="running",
            pid=self._pid,
            target=target,
            started_at=time.time(),
            exit_code=None,
            error=None,
            finished_at=None,
            restart_count=self._restarts.count,
        )
        check = self._ours["health"]
        if check:
            self._health = Health(
                self._loop, check, target, self._config["process"], self._write_state
            )
        self._write_state()
        self._report(pid=self._pid)

    def _watch_output(self, stream: str, fd: int) -> None:
        self._loop.add_reader(fd, lambda: self._read_output(stream, fd))

    def _read_output(self, stream: str, fd: int) -> bool:
        """Log what there is; False at the end of the stream."""
        try:
            chunk = os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # EIO: the last process has let go of the terminal
            chunk = b""
        if not chunk:
            self._loop.remove_reader(fd)
            return False
        if self._log is not None:
            self._log.write(stream, chunk)
        return True

    def _reap(self, wake_fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wake_fd, 512)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            code = code if code >= 0 else 128 - code
            if pid == self._pid:
                self._ended(code)
            elif self._health is not None:
                self._health.reaped(pid, code)

    def _ended(self, exit_code: int) -> None:
        """Init has ended, and with it, by the kernel's hand, all in its pid namespace."""
        self._pid = 0
        for stream, fd in self._outputs.items():
            while self._read_output(stream, fd):
                pass
            self._loop.remove_reader(fd)
            os.close(fd)
        self._outputs = {}
        if self._log is not None:
            self._log.flush()
        if self._health is not None:
            self._health.stop()
        if self._sandbox is not None:
            self._sandbox.deregister()
        launching, self._launching = self._launching, None
        error = launching.finish() if launching else None
        if error is not None:
            self._give_up(error)
            return
        self._note_exit(exit_code)
        delay_s = None
        if not self._stopping:
            delay_s = self._restarts.delay(exit_code, time.monotonic() - self._started_s)
        if delay_s is None:
            self._finish()
            return
        self._state.update(status="restarting", restart_count=self._restarts.count)
        self._health = None
        self._write_state()
        self._waiting = self._loop.call_later(delay_s, self._launch)

    def _note_exit(self, exit_code: int) -> None:
        oom_kills = self._cgroup.oom_kills()
        self._state.update(
            pid=None,
            target=None,
            exit_code=exit_code,
            finished_at=time.time(),
            oom_killed=oom_kills > self._oom_kills,
        )
        self._oom_kills = oom_kills

    # --- requests

    def _handle(self, connection: Connection, request: dict[str, Any]) -> None:
        if request["do"] == "stop":
            self._stopped_by.append(connection)
            self._stop(request.get("signal"), request.get("grace_s"))
        elif request["do"] == "kill":
            connection.answer(sent=self._signal(request["signal"]))
        else:
            connection.answer(error=f"unknown request {request['do']}")

    def _stop(self, number: int | None, grace_s: float | None) -> None:
        """The stop signal, then SIGKILL after the grace period; below zero: never."""
        self._stopping = True
        if self._waiting is not None:
            self._waiting.cancel()
            self._finish()
            return
        self._signal(number or self._ours["stop_signal"])
        grace_s = self._ours["stop_grace_s"] if grace_s is None else grace_s
        if grace_s < 0:
            return
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        self._kill_timer = self._loop.call_later(grace_s, lambda: self._signal(signal.SIGKILL))

    def _signal(self, number: int) -> bool:
        """False where there is no process now."""
        if not self._pid:
            return False
        if number == signal.SIGKILL:
            self._cgroup.kill()
        try:
            os.kill(self._pid, number)
        except ProcessLookupError:
            return False
        return True

    # --- the end

    def _give_up(self, error: dict[str, Any]) -> None:
        """The container could not be started: back to `created`, or `exited` after a restart."""
        first = "started_at" not in self._state
        self._state.update(
            status="created" if first else "exited",
            error=error["what"],
            exit_code=error.get("exit_code", 128),
            pid=None,
        )
        self._finish(final=self._state["status"])
        self._report(**error)

    def _finish(self, final: str = "exited") -> None:
        """Clean up, say so, and let the loop end."""
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        self._state.update(status=final, pid=None, target=None)
        failures = []
        for clean in (self._close_sandbox, self._cgroup.remove):
            try:
                clean()
            except OSError as error:
                failures.append(str(error))
        if failures:
            self._state["cleanup"] = failures
        durable = self._ours["directory"]
        try:
            statefile.write_json(durable, statefile.LAST_STATE_NAME, self._state, durable=True)
            self._write_state()
        except FileNotFoundError:
            pass  # removed by force meanwhile
        for connection in self._stopped_by:
            connection.answer(exit_code=self._state.get("exit_code"))
        if self._control is not None:
            self._control.close()
        if self._log is not None:
            self._log.close()
        self._loop.stop()

    def _close_sandbox(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()

    def _write_state(self) -> None:
        self._state["health"] = self._health.state() if self._health else None
        statefile.write_json(self._run_directory, statefile.STATE_NAME, self._state)


def _become_monitor(name: str) -> None:
    """A session and a name of its own; nothing of the command's terminal or directory is kept."""
    os.setsid()
    os.chdir("/")
    become_subreaper()
    set_name(f"buoy:{name}")
    null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        os.dup2(null_fd, fd)
    os.close(null_fd)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    gc.disable()


def _read_bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
