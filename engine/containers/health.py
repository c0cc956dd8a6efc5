"""The health probe of one container, run by its monitor (engine.md C6)."""

from __future__ import annotations

import os
import signal
import time

from engine.containers.join import run_inside
from engine.containers.process import UNKNOWN_FAILURE
from engine.containers.statefile import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.kernel.loop import Loop, Timer

OUTPUT_LIMIT_BYTES = 4096
LOG_LENGTH = 5


class Health:
    """starting, healthy or unhealthy; a new one for each start of the container.

    check        test (argv), interval_s, timeout_s, start_period_s, start_interval_s, retries
    target       of engine.containers.join.run_inside
    config_path  of the launch record, from which probes take user, environment and limits
    reap         is to reap children, and to call `reaped` for each
    changed      called with `state()` after each probe
    """

    def __init__(
        self,
        loop: Loop,
        check: dict[str, Any],
        target: dict[str, Any],
        config_path: str,
        reap: Callable[[], object],
        changed: Callable[[dict[str, Any]], object],
    ) -> None:
        self._loop, self._check, self._target = loop, check, target
        self._config_path, self._reap = config_path, reap
        self._changed = changed
        self._started_s = time.monotonic()
        self._probe: _Probe | None = None
        self._timer: Timer | None = None
        self._paused = False
        self.status = "starting"
        self.failing_streak = 0
        self.log: list[dict[str, Any]] = []
        self._arm()

    def state(self) -> dict[str, Any]:
        """For state.json."""
        return {
            "status": self.status,
            "failing_streak": self.failing_streak,
            "log": self.log,
        }

    def pause(self) -> None:
        """No probes for now; the one under way counts for nothing."""
        self.stop()
        self._paused = True

    def resume(self) -> None:
        """Go on as it was: the next probe comes after a whole interval."""
        self._paused = False
        if self._probe is None:
            self._arm()

    def stop(self) -> None:
        """No more probes; one that runs is killed."""
        if self._timer is not None:
            self._timer.cancel()
        if self._probe is not None:
            self._probe.kill()

    def reaped(self, pid: int, exit_code: int) -> None:
        """A child of the monitor has ended: the probe, perhaps."""
        if self._probe is not None and self._probe.pid == pid:
            probe, self._probe = self._probe, None
            code, output = probe.finish(exit_code)
            if self._paused:
                return
            self._record(probe.started_s, probe.started_at, code, output)

    def _arm(self) -> None:
        """The wait is chosen now: short only while starting and within the start period."""
        early = time.monotonic() - self._started_s < self._check["start_period_s"]
        quick = early and self.status == "starting"
        wait_s = self._check["start_interval_s" if quick else "interval_s"]
        self._timer = self._loop.call_later(wait_s, self._start)

    def _start(self) -> None:
        self._probe = _Probe(self._loop, self._check, self._target, self._config_path)
        self._loop.add_reader(self._probe.pidfd, self._reap)

    def _record(self, started_s: float, started_at: float, code: int, output: str) -> None:
        if code == 0:
            self.status, self.failing_streak = "healthy", 0
        else:
            grace = started_s - self._started_s < self._check["start_period_s"]
            if not (self.status == "starting" and grace):
                self.failing_streak += 1
                if self.failing_streak >= self._check["retries"]:
                    self.status = "unhealthy"
        entry = {"start": started_at, "end": time.time(), "exit_code": code, "output": output}
        self.log = [*self.log, entry][-LOG_LENGTH:]
        self._changed(self.state())
        self._arm()


class _Probe:
    """One run of the test: its process, its output, its time-out."""

    def __init__(
        self, loop: Loop, check: dict[str, Any], target: dict[str, Any], config_path: str
    ) -> None:
        self._loop, self._timeout_s = loop, check["timeout_s"]
        self._output = bytearray()
        self._timed_out = False
        self.started_s, self.started_at = time.monotonic(), time.time()
        self._read_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        null_fd = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            os.set_blocking(write_fd, True)
            os._exit(_run(check["test"], target, config_path, (null_fd, write_fd, write_fd)))
        self.pidfd = os.pidfd_open(self.pid)
        os.close(null_fd)
        os.close(write_fd)
        loop.add_reader(self._read_fd, self._read)
        self._timer = loop.call_later(self._timeout_s, self._expire)

    def kill(self) -> None:
        """End the probe; the process inside dies with the one that waits for it."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def finish(self, exit_code: int) -> tuple[int, str]:
        """(code, output) once the process has been reaped; -1 after a time-out."""
        self._timer.cancel()
        self._read()
        for fd in (self._read_fd, self.pidfd):
            self._loop.remove_reader(fd)
            os.close(fd)
        output = self._output[:OUTPUT_LIMIT_BYTES].decode("utf-8", "replace")
        if len(self._output) > OUTPUT_LIMIT_BYTES:
            output += "..."
        if not self._timed_out:
            return exit_code, output
        text = f"Health check exceeded timeout ({self._timeout_s:g}s)"
        return -1, f"{text}: {output}" if output else text

    def _read(self) -> None:
        try:
            while chunk := os.read(self._read_fd, 65536):
                room = OUTPUT_LIMIT_BYTES + 1 - len(self._output)
                self._output += chunk[: max(0, room)]
            self._loop.remove_reader(self._read_fd)
        except BlockingIOError:
            return

    def _expire(self) -> None:
        self._timed_out = True
        self.kill()


def _run(
    argv: list[str], target: dict[str, Any], config_path: str, stdio: tuple[int, int, int]
) -> int:
    """In the child of the monitor."""
    config = read_json(config_path)
    if config is None:
        return UNKNOWN_FAILURE
    described = dict(config["process"], args=argv, terminal=False)
    return run_inside(target, described, stdio, None)
