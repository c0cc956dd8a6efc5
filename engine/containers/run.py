"""One run of a container's program: init, its streams and its health, until init has ended."""

from __future__ import annotations

import os
import signal
import time

from engine.containers.exec_probe import ExecProber
from engine.containers.health import Health
from engine.containers.launching import Launching
from engine.containers.native_probe import NativeProber
from engine.containers.statefile import CONFIG_NAME
from engine.containers.streams.outputs import Outputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.containers.exec_probe import Children
    from engine.containers.health import Prober
    from engine.containers.logs.writer import LogWriter, NoLog
    from engine.containers.preparing import Prepared
    from engine.containers.streams.attachments import Attachments
    from engine.kernel.loop import Loop


class Run:
    """Lets a prepared init go, and watches it.

    ours      the `buoy` section of the launch record
    children  of the monitor, as of ExecProber
    running   called with the target (of `join.run_inside`) and the first state of the health once
              the program has been executed
    reap      called when a child may have ended
    health    called with what state.json says of the health, when that has changed
    """

    def __init__(
        self,
        loop: Loop,
        prepared: Prepared,
        ours: dict[str, Any],
        run_directory: str,
        log: LogWriter | NoLog,
        attachments: Attachments,
        children: Children,
        *,
        running: Callable[[dict[str, Any], dict[str, Any] | None], object],
        reap: Callable[[], object],
        health: Callable[[dict[str, Any]], object],
    ) -> None:
        self.pid = prepared.pid
        self._loop, self._prepared, self._ours = loop, prepared, ours
        self._config_path = f"{run_directory}/{CONFIG_NAME}"
        self._running, self._reap, self._tell_health = running, reap, health
        self._started_s: float | None = None
        self._early: list[int] = []  # signals for a program that is not executed yet
        self._children = children
        self._target = {
            "pid": prepared.pid,
            "started": prepared.started,
            "cgroups": prepared.cgroups,
            "filter": ours["seccomp"],
        }
        self._health: Health | None = None
        self._attachments, self._outputs = attachments, Outputs(loop, log, attachments)
        self._prober = self._find_prober()
        loop.add_reader(prepared.pidfd, reap)
        for stream in ("stdout", "stderr"):
            if stream in prepared.fds:
                self._outputs.add(stream, prepared.fds.pop(stream))
        if "stdin" in prepared.fds:
            attachments.begin("pipe", prepared.fds.pop("stdin"))
        self._launching = Launching(loop, prepared, self._executed, self._take_terminal)

    @property
    def lasted_s(self) -> float:
        """Since the program was executed."""
        return 0.0 if self._started_s is None else time.monotonic() - self._started_s

    def signal(self, number: int) -> bool:
        """Send a signal to init, all but SIGKILL once it executes its program: until then it would
        be lost. False where it has ended."""
        if self._started_s is None and number != signal.SIGKILL:
            self._early.append(number)
            return True
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def pause(self) -> None:
        """It is frozen: its health is left alone."""
        if self._health is not None:
            self._health.pause()

    def resume(self) -> None:
        """It goes on."""
        if self._health is not None:
            self._health.resume()

    def finish(self) -> dict[str, Any] | None:
        """Init has ended, and with it, by the kernel's hand, all in its pid namespace.

        The error it reported, if it did not get to execute its program.
        """
        self._outputs.drain()
        self._loop.remove_reader(self._prepared.pidfd)
        for fd in (self._prepared.pidfd, *self._prepared.fds.values()):
            os.close(fd)
        if self._health is not None:
            self._health.stop()
        return self._launching.finish()

    def _take_terminal(self, master_fd: int) -> None:
        self._outputs.add("stdout", master_fd)
        self._attachments.begin("terminal", master_fd)

    def _find_prober(self) -> Prober | None:
        check = self._ours["health"]
        if check is None:
            return None
        if check["native"]:
            return NativeProber(self._loop, check, self.pid, self._outputs)
        return ExecProber(
            self._loop, check, self._target, self._config_path, self._reap, self._children
        )

    def _executed(self) -> None:
        self._started_s = time.monotonic()
        if self._prober is not None:
            check = self._ours["health"]
            self._health = Health(self._loop, check, self._prober, self._tell_health)
        self._running(self._target, self._health.state() if self._health else None)
        for number in self._early:
            self.signal(number)
