"""The process that watches one container: starts init, keeps its log, restarts it, cleans up.

Forked by the stage, with everything it needs imported by then. It depends on no other process; if
it dies, the kernel kills its init, frees the network with the last descriptor of it, and drops
the lock by which others know that the container has a monitor.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import time

from engine.cgroups.cgroup import Cgroup
from engine.cgroups.hierarchy import Hierarchies
from engine.containers import statefile
from engine.containers.control import Connection, Server
from engine.containers.health import Health
from engine.containers.launching import Launching
from engine.containers.logfile import LogFile
from engine.containers.preparing import PreparationFailed, Prepared, prepare
from engine.containers.restart import Restarts
from engine.kernel.loop import Loop, Timer
from engine.kernel.process import become_subreaper, set_name
from engine.network.ports import PortTaken
from engine.network.sandbox import Sandbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CHUNK_BYTES = 65536


class Reply:
    """The way back to the command that waits for a start: it hears of it once."""

    def __init__(self, peer_fd: int) -> None:
        self._peer = socket.socket(fileno=peer_fd)
        self._peer.set_inheritable(False)

    def send(self, **outcome: object) -> None:
        """Tell and hang up; the command may have been killed, or have heard before."""
        with contextlib.suppress(OSError):
            self._peer.send(json.dumps(outcome).encode())
        self.close()

    def close(self) -> None:
        """Hang up; may be repeated."""
        self._peer.close()


class Monitor:
    """One container, from the launch record in its run directory to its final exit.

    ours            the `buoy` section of the record
    termination_fd  readable once the monitor itself has been asked to end (SIGTERM)
    reply           the command hears by it of the first start: pid=..., or code=..., what=...
    """

    def __init__(
        self,
        run_directory: str,
        ours: dict[str, Any],
        termination_fd: int,
        reply: Reply,
    ) -> None:
        self._run_directory, self._ours, self._reply = run_directory, ours, reply
        self._termination_fd = termination_fd
        self._loop = Loop()
        self._restarts = Restarts(**ours["restart"])
        self._sandbox: Sandbox | None = None
        self._log: LogFile | None = None
        self._control: Server | None = None
        self._health: Health | None = None
        self._launching: Launching | None = None
        self._prepared: Prepared | None = None  # the run of init that there is
        self._outputs: dict[str, int] = {}
        self._waiting: Timer | None = None  # for the next restart
        self._kill_timer: Timer | None = None
        self._stopped_by: list[Connection] = []
        self._stopping = False
        self._started_s = 0.0
        self._oom_kills = 0
        self._state: dict[str, Any] = {
            "status": "created",
            "monitor": os.getpid(),
            "command": ours["argv"],
            "attachments": ours["attachments"],
            "exposed": ours["exposed"],
        }

    def run(self) -> None:
        """Start the container and watch it to its end."""
        self._loop.add_reader(self._termination_fd, lambda: self._stop(None, None))
        try:
            self._prepare_for_good()
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
        if self._launch(first=True):
            if self._sandbox is not None:
                self._sandbox.serve(self._loop)
            self._loop.run()

    def fail(self, error: BaseException) -> None:
        """Leave word of a bug. The state stays that of a container whose monitor is gone: who
        finds it so cleans up. A child that got here has no word in it."""
        if os.getpid() != self._state["monitor"]:
            return
        from engine.containers.failure import note_failure

        self._state["error"] = what = note_failure(self._ours["directory"], error)
        with contextlib.suppress(OSError):
            self._write_state()
        self._reply.send(code="monitor", what=what)

    def _prepare_for_good(self) -> None:
        """What lasts over restarts and is the monitor's own: ports, log, control socket."""
        record = self._ours["network"]
        if record["mode"] != "host":
            self._sandbox = Sandbox(record, self._ours["id"])
            self._sandbox.reserve()
            self._state["ports"] = self._sandbox.published
        log = self._ours["log"]
        self._log = LogFile(log["directory"], log["max_size_bytes"], log["max_files"])
        self._control = Server(self._loop, self._run_directory, self._handle)

    # --- one run of init

    def _launch(self, *, first: bool = False) -> bool:
        """False where it could not even be prepared."""
        self._waiting = None
        try:
            prepared = prepare(self._run_directory, self._sandbox, first=first)
        except PreparationFailed as failed:
            self._give_up(failed.error)
            return False
        self._prepared = prepared
        self._loop.add_reader(prepared.pidfd, self._reap)
        if first:
            self._state["warnings"] = prepared.warnings
        for stream in ("stdout", "stderr"):
            if stream in prepared.fds:
                self._watch_output(stream, prepared.fds.pop(stream))
        self._launching = Launching(
            self._loop, prepared, self._running, lambda fd: self._watch_output("stdout", fd)
        )
        return True

    def _running(self) -> None:
        """The program of the image has been executed."""
        prepared = self._prepared
        if prepared is None:
            return
        self._started_s = time.monotonic()
        target = {
            "pid": prepared.pid,
            "started": prepared.started,
            "cgroups": prepared.cgroups,
            "filter": self._ours["seccomp"],
        }
        self._state.update(
            status="running",
            pid=prepared.pid,
            target=target,
            started_at=time.time(),
            exit_code=None,
            error=None,
            finished_at=None,
            oom_killed=False,
            restart_count=self._restarts.count,
        )
        check = self._ours["health"]
        if check:
            config = f"{self._run_directory}/{statefile.CONFIG_NAME}"
            self._health = Health(self._loop, check, target, config, self._reap, self._write_state)
        self._tell(prepared.pid)

    def _tell(self, pid: int) -> None:
        """Write the state and report the start; by a child, whose memory does not stay."""
        child = os.fork()
        if child == 0:
            try:
                self._write_state()
                self._reply.send(pid=pid)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        self._reply.close()

    def _watch_output(self, stream: str, fd: int) -> None:
        os.set_blocking(fd, False)
        self._outputs[stream] = fd
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

    def _reap(self) -> None:
        """One of the children has ended: all that have are reaped, orphans from inside too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            code = code if code >= 0 else 128 - code
            if self._prepared is not None and pid == self._prepared.pid:
                self._ended(self._prepared, code)
            elif self._health is not None:
                self._health.reaped(pid, code)

    def _ended(self, prepared: Prepared, exit_code: int) -> None:
        """Init has ended, and with it, by the kernel's hand, all in its pid namespace."""
        for stream, fd in self._outputs.items():
            while self._read_output(stream, fd):
                pass
            self._loop.remove_reader(fd)
            os.close(fd)
        self._loop.remove_reader(prepared.pidfd)
        for fd in (prepared.pidfd, *prepared.fds.values()):
            os.close(fd)
        self._outputs = {}
        if self._log is not None:
            self._log.flush()
        launching, self._launching = self._launching, None
        error = launching.finish() if launching is not None else None
        self._prepared = None
        if self._health is not None:
            self._health.stop()
            self._health = None
        if self._sandbox is not None:
            self._sandbox.deregister()
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
        self._state.update(
            status="restarting",
            restart_count=self._restarts.count,
            previous_exit_code=exit_code,
        )
        self._write_state()
        self._waiting = self._loop.call_later(delay_s, self._launch)

    def _note_exit(self, exit_code: int) -> None:
        oom_kills = self._cgroup().oom_kills()
        self._state.update(
            pid=None,
            target=None,
            exit_code=exit_code,
            finished_at=time.time(),
            oom_killed=oom_kills > self._oom_kills,
        )
        self._oom_kills = oom_kills

    def _cgroup(self) -> Cgroup:
        return Cgroup(Hierarchies.detect(), self._ours["cgroup_parent"], self._ours["id"])

    # --- requests

    def _handle(self, connection: Connection, request: dict[str, Any]) -> None:
        if request["do"] == "stop":
            self._stopped_by.append(connection)
            self._stop(request.get("signal"), request.get("grace_s"))
        elif request["do"] == "kill":
            self._kill(connection, request["signal"])
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

    def _kill(self, connection: Connection, number: int) -> None:
        """A signal that is meant to end the container ends its restarts, too."""
        final = number in (signal.SIGKILL, self._ours["stop_signal"])
        self._stopping = self._stopping or final
        if final and self._waiting is not None:
            connection.answer(sent=True)
            self._waiting.cancel()
            self._finish()
        else:
            connection.answer(sent=self._signal(number))

    def _signal(self, number: int) -> bool:
        """False where there is no process now."""
        if self._prepared is None:
            return False
        if number == signal.SIGKILL:
            self._cgroup().kill()
        try:
            os.kill(self._prepared.pid, number)
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
        self._reply.send(**error)

    def _finish(self, final: str = "exited") -> None:
        """Clean up, say so, and let the loop end."""
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        self._state.update(status=final, pid=None, target=None)
        failures = []
        for clean in (self._close_sandbox, self._cgroup().remove):
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


def monitor(run_directory: str, ours: dict[str, Any], termination_fd: int, reply: Reply) -> None:
    """Become the monitor of the container whose launch record is in `run_directory`."""
    if statefile.take_lock(run_directory) is None:
        reply.send(code="already-running", what="the container has a monitor already")
        return
    os.setsid()
    os.chdir("/")
    become_subreaper()
    set_name(f"buoy:{ours['name']}")
    gc.disable()
    watching = Monitor(run_directory, ours, termination_fd, reply)
    try:
        watching.run()
    except BaseException as error:
        watching.fail(error)
        raise
