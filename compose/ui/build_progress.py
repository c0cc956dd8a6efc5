"""What builds tell, as BuildKit shows it: lines for a log, or drawn in place."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from compose.ui.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.ui.console import Console
    from engine import BuildEvent

    Show = Callable[[BuildEvent], None]

ENDS = ("cached", "done", "failed")
_JSON_WORDS = {
    "cached": ("Done", "CACHED"),
    "done": ("Done", "Built"),
    "failed": ("Error", "Error"),
}
_PATIENCE_S = 1.0  # a step that says nothing for so long gives way to others


class BuildReport(Protocol):
    """Shows the builds of one command, each under a name of its own; "" where there is one."""

    def __enter__(self) -> BuildReport: ...

    def __exit__(self, *_: object) -> None: ...

    def build(self, name: str) -> Show:
        """What shows the events of one build."""

    def pause(self) -> None:
        """Print nothing until `resume`: the terminal is somebody else's."""

    def resume(self) -> None: ...


class QuietBuilds:
    """Nothing at all."""

    def __enter__(self) -> QuietBuilds:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def build(self, name: str) -> Show:
        return lambda event: None

    def pause(self) -> None:
        pass

    resume = pause


class PlainBuilds(QuietBuilds):
    """Lines, those of one step together.

    What other steps say meanwhile waits until the step has ended or fallen silent.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._numbers: dict[tuple[str, int], int] = {}
        self._waiting: dict[int, deque[str]] = {}
        self._ended: set[int] = set()
        self._current = 0
        self._last_s = 0.0
        self._names: dict[int, str] = {}
        self._paused = False

    def __enter__(self) -> PlainBuilds:
        return self

    def __exit__(self, *_: object) -> None:
        self._paused = False
        while self._waiting:
            self._switch(next(iter(self._waiting)))

    def build(self, name: str) -> Show:
        return lambda event: self._show(name, event)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._go_on()

    def _show(self, name: str, event: BuildEvent) -> None:
        key = name, event.number
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        if event.kind == "started":
            self._names[number] = titled(name, event.step)
        text = self._names[number] if event.kind == "started" else event.said
        self._waiting.setdefault(number, deque()).append(printable(text))
        if event.kind in ENDS:
            self._ended.add(number)
        self._go_on()

    def _go_on(self) -> None:
        """Print what the current step has said, and go to the next one where it is its turn."""
        if self._paused:
            return
        self._print(self._current)
        while self._waiting and self._gives_way():
            self._switch(next(iter(self._waiting)))
        if self._waiting:
            self._look_again()

    def _gives_way(self) -> bool:
        over = self._current == 0 or self._current in self._ended
        return over or time.monotonic() - self._last_s >= _PATIENCE_S

    def _switch(self, number: int) -> None:
        if self._current and self._current not in self._ended:
            self._console.status(f"#{self._current} ...")
        if self._current:
            self._console.status("")
        began = self._waiting[number][0] == self._names[number]
        if not began:
            self._console.status(f"#{number} {self._names[number]}")
        self._current = number
        self._print(number)

    def _print(self, number: int) -> None:
        for text in self._waiting.pop(number, ()):
            self._console.status(f"#{number} {text}")
            self._last_s = time.monotonic()

    def _look_again(self) -> None:
        """When the current step has been silent for long, even if nobody says anything then."""
        import asyncio

        left_s = _PATIENCE_S - (time.monotonic() - self._last_s)
        asyncio.get_running_loop().call_later(max(left_s, 0.0), self._go_on)


class JsonBuilds(QuietBuilds):
    """One JSON object per event, of the same form as a plan's steps (cli.md 3)."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> JsonBuilds:
        return self

    def build(self, name: str) -> Show:
        return lambda event: self._show(name, event)

    def _show(self, name: str, event: BuildEvent) -> None:
        import json

        status, text = _JSON_WORDS.get(event.kind, ("Working", "Building"))
        details = {"details": event.text} if event.text else {}
        record = {"id": titled(name, event.step), "status": status, "text": text, **details}
        self._console.status(json.dumps(record))


def titled(name: str, step: str) -> str:
    """`[2/5] RUN make` of the build `web` -> `[web 2/5] RUN make`."""
    if not name:
        return step
    return f"[{name} {step[1:]}" if step.startswith("[") else f"[{name}] {step}"


def build_report(console: Console) -> BuildReport:
    """The report that suits the console; where that is left open, BUILDKIT_PROGRESS decides."""
    asked = os.environ.get("BUILDKIT_PROGRESS") if console.progress == "auto" else None
    progress = asked or console.progress
    if progress in ("quiet", "none"):
        return QuietBuilds()
    if progress in ("json", "rawjson"):
        return JsonBuilds(console)
    if progress == "plain" or not console.live:
        return PlainBuilds(console)
    from compose.ui.build_live import LiveBuilds

    return LiveBuilds(console)
