"""Whether a container that ended is started again, and when (engine.md C5)."""

from __future__ import annotations

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 60.0
LONG_RUN_S = 10.0


class Restarts:
    """The restart policy of one container, with its back-off and its count.

    name          no, always, on-failure, unless-stopped
    max_attempts  for on-failure; 0 is without end
    """

    def __init__(self, name: str, max_attempts: int) -> None:
        self._name, self._max_attempts = name, max_attempts
        self._delay_s = FIRST_DELAY_S
        self.count = 0

    def delay(self, exit_code: int, ran_s: float) -> float | None:
        """Seconds to wait before the next start; None: it stays ended.

        The wait doubles from 0.1 s to a minute, and is back at 0.1 s after a run of 10 s.
        """
        if self._name == "no" or (self._name == "on-failure" and exit_code == 0):
            return None
        if self._name == "on-failure" and 0 < self._max_attempts <= self.count:
            return None
        if ran_s >= LONG_RUN_S:
            self._delay_s = FIRST_DELAY_S
        wait_s = self._delay_s
        self._delay_s = min(self._delay_s * 2, LONGEST_DELAY_S)
        self.count += 1
        return wait_s
