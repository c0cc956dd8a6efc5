"""What a build tells while it runs; `str(event)` is its line in BuildKit's plain form."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Literal

from engine.kernel.record import Record

Kind = Literal["started", "output", "note", "cached", "done", "failed"]


class BuildEvent(Record):
    """One thing that happened to one step.

    number   of the step, from 1 in the order of starting
    step     `[2/3] RUN make`, `[builder 1/4] FROM debian:bookworm`
    text     output: one line of the step's; note, failed: what there is to say
    after_s  since the step was started
    """

    number: int
    step: str
    kind: Kind
    text: str = ""
    after_s: float = 0.0

    def __str__(self) -> str:
        return f"#{self.number} {self.said}"

    @property
    def said(self) -> str:
        """The line without its number."""
        said = {
            "started": self.step,
            "output": f"{self.after_s:.3f} {self.text}",
            "note": self.text,
            "cached": "CACHED",
            "done": f"DONE {self.after_s:.1f}s",
            "failed": f"ERROR: {self.text}",
        }
        return said[self.kind]


Report = Callable[[BuildEvent], None]


class Reporter:
    """Numbers the steps of one build."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._numbers = itertools.count(1)

    def start(self, step: str) -> StepReport:
        """A step that begins now."""
        return StepReport(self._report, next(self._numbers), step)


class StepReport:
    """Tells of one step."""

    def __init__(self, report: Report, number: int, step: str) -> None:
        self._report, self._number, self.step = report, number, step
        self._started_s = time.monotonic()
        self._say("started")

    def output(self, text: str) -> str:
        """A line that the step wrote; as it is shown, with its time."""
        return self._say("output", text).said

    def note(self, text: str) -> None:
        """Something about the step: why it is run, what it skipped."""
        self._say("note", text)

    def cached(self) -> None:
        """It need not be run."""
        self._say("cached")

    def done(self) -> None:
        """It was run."""
        self._say("done")

    def failed(self, text: str) -> None:
        """It was run and did not work."""
        self._say("failed", text)

    def _say(self, kind: Kind, text: str = "") -> BuildEvent:
        after_s = time.monotonic() - self._started_s
        event = BuildEvent(
            number=self._number, step=self.step, kind=kind, text=text, after_s=after_s
        )
        self._report(event)
        return event
