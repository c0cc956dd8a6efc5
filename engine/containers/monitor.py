"""The process that watches one container: starts init, keeps its log, restarts it, cleans up.

Forked by the stage, with everything it needs imported by then. It depends on no other process; if
it dies, the kernel kills its init, frees the network with the last descriptor of it, and drops
the lock by which others know that the container has a monitor.
"""

from __future__ import annotations

import gc
import os
import signal

from engine.cgroups.aside import step_back
from engine.cgroups.hierarchy import Hierarchies
from engine.containers import statefile
from engine.containers.control import Server
from engine.containers.group import cgroup_of
from engine.containers.logs.drivers import open_log
from engine.containers.oom import Oom
from engine.containers.preparing import PreparationFailed, prepare
from engine.containers.process import UNKNOWN_FAILURE
from engine.containers.reporting import Report
from engine.containers.requests import Requests
from engine.containers.restart import Restarts
from engine.containers.run import Run
from engine.containers.sharing import DonorGone
from engine.containers.streams.attachments import Attachments
from engine.kernel.loop import Loop, Timer
from engine.kernel.process import become_subreaper, set_name, state_of
from engine.network.ports import PortTaken
from engine.network.sandbox import Sandbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable
    from typing import Any

    from engine.cgroups.cgroup import Cgroup
    from engine.containers.exec_probe import Children
    from engine.containers.logs.writer import LogWriter, NoLog
    from engine.containers.reporting import Reply


class Monitor:
    """One container, from the launch record in its run directory to its final exit.

    ours            the `buoy` section of the record
    termination_fd  readable once the monitor itself has been asked to end (SIGTERM)
    """

    def __init__(
        self, run_directory: str, ours: dict[str, Any], termination_fd: int, report: Report
    ) -> None:
        self._run_directory, self._ours, self._report = run_directory, ours, report
        self._loop = Loop()
        self._restarts = Restarts(**ours["restart"])
        self._sandbox: Sandbox | None = None
        self._log: LogWriter | NoLog | None = None
        self._control: Server | None = None
        self._run: Run | None = None  # what runs of it now
        self._children: Children = {}  # whom to tell; a probe may end after its run
        self._waiting: Timer | None = None  # for the next restart
        self._oom: Oom | None = None
        self._attachments = Attachments(self._loop, stdin_once=ours["stdin_once"])
        self._requests = Requests(
            self,
            self._loop,
            self._attachments,
            ours["stop_signal"],
            ours["stop_grace_s"],
            any_is_final=not ours["stop_signal_given"],
        )
        self._loop.add_reader(termination_fd, lambda: self._terminate(termination_fd))

    def watch(self) -> None:
        """Start the container and watch it to its end."""
        try:
            self._prepare_for_good()
        except PortTaken as error:
            port = {"port": error.port, "last": error.last, "host_ip": error.host_ip}
            port["protocol"] = error.protocol
            self._give_up({"code": "port-taken", "what": str(error), **port})
            return
        except OSError as error:
            code, hint = getattr(error, "code", "start"), getattr(error, "hint", "")
            self._give_up({"code": code, "what": str(error), "hint": hint})
            return
        if self._launch(first=True):
            if self._sandbox is not None:
                self._sandbox.serve(self._loop)
            self._loop.run()

    def attach(self, peer: socket.socket, request: dict[str, Any]) -> None:
        """Somebody is attached before there is anything to hear."""
        self._attachments.add(peer, request)

    @property
    def is_waiting(self) -> bool:
        """Whether it has ended and is about to be started again."""
        return self._waiting is not None

    @property
    def is_running(self) -> bool:
        """Whether there is a run, be it one that is just beginning."""
        return self._run is not None

    def signal(self, number: int) -> bool:
        """Send a signal to init, SIGKILL to all in the container; False where nothing runs now."""
        if self._run is None:
            return False
        if number == signal.SIGKILL:
            self._cgroup().kill()
        return self._run.signal(number)

    def state(self) -> str:
        """What init is doing: `its process 123 is in state D (disk sleep)`."""
        pid = self._run.pid if self._run is not None else 0
        return f"its process {pid} is in state {state_of(pid) or 'unknown'}"

    def pause(self) -> str | None:
        """Freeze all that runs in the container, health probes too. Why not, where it cannot be."""
        if self._run is None or self._report.status != "running":
            return f"it is {self._report.status}"
        try:
            if not self._cgroup().freeze():
                return "the kernel has no freezer here"
        except OSError as error:
            return str(error)
        self._run.pause()
        self._report.paused()
        return None

    def resume(self) -> bool:
        """Let it go on; False where it is not paused."""
        if self._run is None or self._report.status != "paused":
            return False
        self._cgroup().thaw()
        self._run.resume()
        self._report.resumed()
        return True

    def change_networks(
        self, network: dict[str, Any], attachments: list[dict[str, Any]]
    ) -> str | None:
        """Be on other networks from now on. Why not, where it cannot be."""
        if self._sandbox is None:
            return "it has no network of its own"
        try:
            self._sandbox.change(network, self._loop)
        except (PortTaken, OSError) as error:
            return str(error)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            return f"no usable network: {type(error).__name__}: {error}"
        self._report.changed(attachments=attachments, ports=self._sandbox.published)
        return None

    def _terminate(self, termination_fd: int) -> None:
        """Asked to end: as a stop of the container. Once is enough, so it is looked at no more."""
        self._loop.remove_reader(termination_fd)
        self._requests.stop()

    def cancel_restart(self) -> None:
        """The end, where it waits to be started again."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._finish()

    def _prepare_for_good(self) -> None:
        """What lasts over restarts and is the monitor's own: ports, log, control socket."""
        record = self._ours["network"]
        if record["mode"] not in ("host", "joined"):
            self._sandbox = Sandbox(record, self._ours["id"])
            self._sandbox.reserve()
            self._report.note(ports=self._sandbox.published)
        self._log = open_log(self._ours["log"])
        self._control = Server(self._loop, self._run_directory, self._requests.handle)

    def _launch(self, *, first: bool = False) -> bool:
        """Begin a run; False where it could not even be prepared."""
        assert self._log is not None
        self._waiting = None
        try:
            prepared = prepare(self._run_directory, self._sandbox, first=first)
        except PreparationFailed as failed:
            if first or failed.error["code"] != DonorGone.code:
                self._give_up(failed.error)
            else:  # that may be restarting, too: tried again as the policy says
                self._report.note(error=failed.error["what"])
                self._end_run(UNKNOWN_FAILURE, lasted_s=0.0)
            return False
        if first:
            self._report.note(discarded=prepared.discarded)
            if prepared.oom_counters:
                self._oom = Oom(
                    self._loop,
                    prepared.fds.pop("oom"),
                    prepared.oom_counters,
                    self._ours,
                    self._report.oom_killed,
                )
        run = self._run = Run(
            self._loop,
            prepared,
            self._ours,
            self._run_directory,
            self._log,
            self._attachments,
            self._children,
            running=lambda target, health: self._report.running(
                target, health, self._restarts.count
            ),
            reap=self._reap,
            health=self._report.health,
        )
        self._children[run.pid] = lambda exit_code: self._ended(run, exit_code)
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
            ended = self._children.pop(pid, None)
            if ended is not None:
                ended(code if code >= 0 else 128 - code)

    def _ended(self, run: Run, exit_code: int) -> None:
        """Init has ended: is there to be another run?"""
        self._run = None
        if self._ours["shares_pid"]:  # else the kernel has killed what was left in it
            self._cgroup().kill()
        error = run.finish()
        self._attachments.end(exit_code)
        if self._sandbox is not None:
            self._sandbox.deregister()
        if error is not None:
            self._give_up(error)
            return
        self._end_run(exit_code, run.lasted_s)

    def _end_run(self, exit_code: int, lasted_s: float) -> None:
        oom_killed = self._oom is not None and self._oom.end_run()
        self._report.ended(exit_code, oom_killed=oom_killed)
        delay_s = None
        if not self._requests.is_stopping:
            delay_s = self._restarts.delay(exit_code, lasted_s)
        if delay_s is None:
            self._finish()
            return
        self._report.restarting(self._restarts.count)
        self._waiting = self._loop.call_later(delay_s, self._launch)

    def _cgroup(self) -> Cgroup:
        return cgroup_of(self._ours)

    def _give_up(self, error: dict[str, Any]) -> None:
        """The container could not be started."""
        self._report.given_up(error)
        self._finish()
        self._report.answer(**error)

    def _finish(self) -> None:
        """Clean up, say so, and let the loop end."""
        if self._oom is not None:
            self._oom.close()
        failures = []
        for clean in (self._close_sandbox, self._cgroup().remove, self._leave_group):
            try:
                clean()
            except OSError as error:
                failures.append(str(error))
        self._report.final(failures)
        self._requests.end(self._report.exit_code)
        if self._control is not None:
            self._control.close()
        if self._log is not None:
            self._log.close()
        self._loop.stop()

    def _leave_group(self) -> None:
        """That of the monitors, where there is one: it goes with the last of them."""
        if self._ours["monitor_group"]:
            step_back(Hierarchies.detect(), self._ours["monitor_group"])

    def _close_sandbox(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()


def monitor(
    run_directory: str,
    ours: dict[str, Any],
    termination_fd: int,
    reply: Reply,
    clients: Iterable[tuple[socket.socket, dict[str, Any]]] = (),
) -> None:
    """Become the monitor of the container whose launch record is in `run_directory`.

    clients  who is attached before the program begins: connections, and what each asks
    """
    if statefile.take_lock(run_directory) is None:
        reply.send(code="already-running", what="the container has a monitor already")
        return
    os.setsid()
    os.chdir("/")
    become_subreaper()
    set_name(f"buoy:{ours['name']}")
    gc.disable()
    report = Report(run_directory, ours, reply)
    try:
        found = Monitor(run_directory, ours, termination_fd, report)
        for peer, request in clients:
            found.attach(peer, request)
        found.watch()
    except BaseException as error:
        if report.is_ours:  # a child that got here has no word in it
            report.fail(error)
        raise
