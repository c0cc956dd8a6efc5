"""A plan as it is carried out: live lines on a terminal, one line per finished step elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from compose.ui.printable import printable
from compose.ui.transfers import is_layer, is_over

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compose.reconcile.step import Detail, Step
    from compose.ui.console import Console


class Words(NamedTuple):
    """How an action reads while it goes on, and when it is done."""

    doing: str
    done: str


WORDS = {
    "pull": Words("Pulling", "Pulled"),
    "build": Words("Building", "Built"),
    "push": Words("Pushing", "Pushed"),
    "fetch": Words("Pulling", "Pulled"),
    "create": Words("Creating", "Created"),
    "recreate": Words("Recreate", "Recreated"),
    "rename": Words("Renaming", "Renamed"),
    "restore": Words("Restoring", "Restored"),
    "start": Words("Starting", "Started"),
    "stop": Words("Stopping", "Stopped"),
    "restart": Words("Restarting", "Restarted"),
    "kill": Words("Killing", "Killed"),
    "pause": Words("Pausing", "Paused"),
    "unpause": Words("Unpausing", "Unpaused"),
    "remove": Words("Removing", "Removed"),
    "run": Words("Running", "Exited"),
    "wait": Words("Waiting", "Healthy"),
}


# Changes that a reader would not expect: there, the line says why.
_EXPLAINED = ("recreate", "restore", "rename", "remove", "stop", "restart")
_SAID = ("down", "down -v", "down --rmi", "asked for")  # by the command line


def cause_of(step: Step) -> str:
    """` (image changed)`, to stand after what was done; empty where that needs no explanation."""
    explained = step.action in _EXPLAINED and step.cause not in _SAID
    return f" ({step.cause})" if explained else ""


class StepReport(Protocol):
    """What a command shows of its steps; also what `compose.reconcile.execute` reports to."""

    def __enter__(self) -> StepReport: ...

    def __exit__(self, *_: object) -> None: ...

    def started(self, step: Step) -> None: ...

    def done(self, step: Step, word: str | None) -> None: ...

    def failed(self, step: Step, error: Exception) -> None: ...

    def skipped(self, step: Step) -> None: ...

    def detail(self, step: Step, detail: Detail) -> None:
        """Something about a step under way: a build step, or a layer that moves."""


class PlainSteps:
    """One line per finished step: ` Container web-1  Started`."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> PlainSteps:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def started(self, step: Step) -> None:
        if step.kind == "image" and step.action != "remove":
            self._line(step, WORDS[step.action].doing)

    def done(self, step: Step, word: str | None) -> None:
        self._line(step, (word or WORDS[step.action].done) + cause_of(step))

    def failed(self, step: Step, error: Exception) -> None:
        self._line(step, f"Error {printable(str(error))}")

    def skipped(self, step: Step) -> None:
        self._line(step, "Skipped")

    def detail(self, step: Step, detail: Detail) -> None:
        if detail.done_bytes is None or _is_over(detail):
            part = f"{detail.part} " if is_layer(detail.part) else ""
            self._line(step, f"{part}{detail.text}")

    def _line(self, step: Step, text: str) -> None:
        self._console.status(f" {step.subject}  {text}")


class QuietSteps(PlainSteps):
    """Nothing at all; failures are printed at the end as problems anyway."""

    def _line(self, step: Step, text: str) -> None:
        pass


class JsonSteps(PlainSteps):
    """One JSON object per event (cli.md 3)."""

    def started(self, step: Step) -> None:
        self._event(step, "Working", WORDS[step.action].doing)

    def done(self, step: Step, word: str | None) -> None:
        cause = {"details": step.cause} if cause_of(step) else {}
        self._event(step, "Done", word or WORDS[step.action].done, **cause)

    def failed(self, step: Step, error: Exception) -> None:
        self._event(step, "Error", "Error", details=str(error))

    def skipped(self, step: Step) -> None:
        self._event(step, "Warning", "Skipped")

    def detail(self, step: Step, detail: Detail) -> None:
        numbers: dict[str, int] = {}
        if (done := detail.done_bytes) is not None:
            numbers = {"current": done, "total": detail.total_bytes or 0}
        if done and detail.total_bytes:
            numbers["percent"] = 100 * done // detail.total_bytes
        if is_layer(detail.part):
            whole = {"id": detail.part, "parent_id": step.subject}
            status = "Done" if _is_over(detail) else "Working"
            self._write({**whole, "status": status, "text": detail.text, **numbers})
        else:
            doing = WORDS[step.action].doing
            self._event(step, "Working", doing, details=detail.text, **numbers)

    def _event(self, step: Step, status: str, text: str, **more: object) -> None:
        self._write({"id": step.subject, "status": status, "text": text, **more})

    def _write(self, event: Mapping[str, object]) -> None:
        import json

        self._console.status(json.dumps(event))


def _is_over(detail: Detail) -> bool:
    return is_over(detail.text, detail.done_bytes, detail.total_bytes)


def step_report(console: Console, steps: Sequence[Step], title: str) -> StepReport:
    """The report that suits the console; `title` is the verb."""
    if console.progress in ("quiet", "none"):
        return QuietSteps(console)
    if console.progress == "json":
        return JsonSteps(console)
    if not console.live:
        return PlainSteps(console)
    from compose.ui.live import LiveSteps

    return LiveSteps(console, steps, title)
