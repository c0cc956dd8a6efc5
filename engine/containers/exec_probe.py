"""Health probes that are commands, run inside the container as an `exec` is."""

from __future__ import annotations

import contextlib
import json
import os
import socket

from engine.containers.health import NOT_STARTED, OUTPUT_LIMIT_BYTES, TIMED_OUT, timeout_text
from engine.containers.join import END_SIGNAL, run_inside
from engine.containers.process import UNKNOWN_FAILURE
from engine.containers.statefile import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.containers.health import Done
    from engine.kernel.loop import Loop

    Children = dict[int, Callable[[int], object]]

_START_S = 30.0  # to be executed, beside the time-out (engine.md C6.4)
_REPORT_BYTES = 4096


class ExecProber:
    """Runs one command again and again.

    check        test (argv), timeout_s
    target       of engine.containers.join.run_inside
    config_path  of the launch record, from which probes take user, environment and limits
    reap         is to reap children, and to call for each what `children` has under its pid with
                 its exit code
    """

    def __init__(
        self,
        loop: Loop,
        check: dict[str, Any],
        target: dict[str, Any],
        config_path: str,
        reap: Callable[[], object],
        children: Children,
    ) -> None:
        self.loop, self.check, self.target, self.config_path = loop, check, target, config_path
        self.reap, self.children = reap, children

    def begin(self, done: Done) -> ExecProbe:
        """Run it once. Raises OSError where the host has no process left."""
        return ExecProbe(self, done)

    def close(self) -> None:
        """Nothing is kept between probes."""


class ExecProbe:
    """One run of the command: its process, its output, its time-out."""

    def __init__(self, prober: ExecProber, done: Done) -> None:
        self._prober, self._done = prober, done
        self._loop, self._timeout_s = prober.loop, prober.check["timeout_s"]
        self._output = bytearray()
        self._timed_out = self._cancelled = False
        self._failure = ""
        self._fork()
        prober.children[self._pid] = self._ended
        self._loop.add_reader(self._pidfd, prober.reap)
        self._loop.add_reader(self._read_fd, self._read)
        self._loop.add_reader(self._report.fileno(), self._hear)
        self._timer = self._loop.call_later(_START_S, self._expire)

    def _fork(self) -> None:
        """Raises OSError, with nothing left open, where the host has no process left."""
        with contextlib.ExitStack() as passed, contextlib.ExitStack() as kept:
            self._read_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            kept.callback(os.close, self._read_fd)
            passed.callback(os.close, write_fd)
            null_fd = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
            passed.callback(os.close, null_fd)
            self._report, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            kept.enter_context(self._report).setblocking(False)
            passed.enter_context(theirs)
            self._pid = os.fork()
            if self._pid == 0:
                os.set_blocking(write_fd, True)
                self._report.close()
                os._exit(_run(self._prober, (null_fd, write_fd, write_fd), theirs))
            kept.pop_all()
        self._pidfd = os.pidfd_open(self._pid)

    def cancel(self) -> None:
        """End it and what it has started; where the container is paused, once it is not."""
        self._cancelled = True
        self._kill()

    def _hear(self) -> None:
        """It has been executed, or cannot be."""
        try:
            packet = self._report.recv(_REPORT_BYTES)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._loop.remove_reader(self._report.fileno())
            return
        said = json.loads(packet)
        if "what" in said:
            self._failure = said["what"]
        elif not self._failure:
            self._timer.cancel()
            self._timer = self._loop.call_later(self._timeout_s, self._expire)

    def _expire(self) -> None:
        self._timed_out = True
        self._kill()

    def _kill(self) -> None:
        try:
            os.kill(self._pid, END_SIGNAL)
        except ProcessLookupError:
            return

    def _ended(self, exit_code: int) -> None:
        """Its process has been reaped."""
        self._hear()
        self._timer.cancel()
        self._read()
        self._loop.remove_reader(self._report.fileno())
        self._report.close()
        for fd in (self._read_fd, self._pidfd):
            self._loop.remove_reader(fd)
            os.close(fd)
        if self._cancelled:
            return
        output = self._output[:OUTPUT_LIMIT_BYTES].decode("utf-8", "replace")
        if len(self._output) > OUTPUT_LIMIT_BYTES:
            output += "..."
        if self._timed_out:
            self._done(TIMED_OUT, timeout_text(self._timeout_s, output))
        elif self._failure:
            self._done(NOT_STARTED, self._failure)
        else:
            self._done(exit_code, output)

    def _read(self) -> None:
        try:
            while chunk := os.read(self._read_fd, 65536):
                room = OUTPUT_LIMIT_BYTES + 1 - len(self._output)
                self._output += chunk[: max(0, room)]
            self._loop.remove_reader(self._read_fd)
        except BlockingIOError:
            return


def _run(prober: ExecProber, stdio: tuple[int, int, int], report: socket.socket) -> int:
    """In the child of the monitor."""
    config = read_json(prober.config_path)
    if config is None:
        return UNKNOWN_FAILURE
    described = dict(config["process"], args=prober.check["test"], terminal=False)
    return run_inside(prober.target, described, stdio, report)
