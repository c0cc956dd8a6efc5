"""The health of one container, as its monitor finds it (engine.md C6)."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from engine.kernel.loop import Loop, Timer

    Done = Callable[[int, str], object]  # exit code, output

    class Probe(Protocol):
        """One look at the container, under way."""

        def cancel(self) -> None:
            """Drop it: there is to be no result."""

    class Prober(Protocol):
        """What makes probes of one container."""

        def begin(self, done: Done) -> Probe:
            """Start a probe. `done` is called once, later: within the time-out, or with
            `TIMED_OUT` and `timeout_text`. Raises OSError where the host has no process left."""

        def close(self) -> None:
            """There will be no more of them."""


LOG_LENGTH = 5
OUTPUT_LIMIT_BYTES = 4096
TIMED_OUT = NOT_STARTED = -1


def timeout_text(timeout_s: float, output: str = "") -> str:
    """What the log says of a probe that took too long."""
    text = f"Health check exceeded timeout ({timeout_s:g}s)"
    return f"{text}: {output}" if output else text


class Health:
    """starting, healthy or unhealthy; a new one for each start of the container.

    check    interval_s, start_period_s, start_interval_s, retries
    changed  called with `state()` after each probe
    """

    def __init__(
        self,
        loop: Loop,
        check: dict[str, Any],
        prober: Prober,
        changed: Callable[[dict[str, Any]], object],
    ) -> None:
        self._loop, self._check, self._prober, self._changed = loop, check, prober, changed
        self._started_s = self._probed_s = time.monotonic()
        self._probed_at = time.time()
        self._probe: Probe | None = None
        self._timer: Timer | None = None
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
        if self._timer is not None:
            self._timer.cancel()
        if self._probe is not None:
            self._probe.cancel()
        self._timer = self._probe = None

    def resume(self) -> None:
        """Go on as it was: the next probe comes after a whole interval."""
        if self._timer is None and self._probe is None:
            self._arm()

    def stop(self) -> None:
        """No more probes."""
        self.pause()
        self._prober.close()

    def _arm(self) -> None:
        """The wait is chosen now: short only while starting and within the start period."""
        early = time.monotonic() - self._started_s < self._check["start_period_s"]
        quick = early and self.status == "starting"
        wait_s = self._check["start_interval_s" if quick else "interval_s"]
        self._timer = self._loop.call_later(wait_s, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._probed_s, self._probed_at = time.monotonic(), time.time()
        try:
            self._probe = self._prober.begin(self._done)
        except OSError as error:  # the host has no process left: the next one may have its turn
            self._done(NOT_STARTED, f"the probe could not be begun: {error.strerror}")

    def _done(self, code: int, output: str) -> None:
        self._probe = None
        if code == 0:
            self.status, self.failing_streak = "healthy", 0
        elif not self._is_forgiven():
            self.failing_streak += 1
            if self.failing_streak >= self._check["retries"]:
                self.status = "unhealthy"
        entry = {
            "start": self._probed_at,
            "end": time.time(),
            "exit_code": code,
            "output": output,
        }
        self.log = [*self.log, entry][-LOG_LENGTH:]
        self._changed(self.state())
        self._arm()

    def _is_forgiven(self) -> bool:
        """A failure counts for nothing where the probe began in the start period of a container
        that has not been healthy yet."""
        early = self._probed_s - self._started_s < self._check["start_period_s"]
        return early and self.status == "starting"
