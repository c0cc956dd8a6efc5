"""Builds drawn on a terminal: what is done, what is going on, and the last of what that says."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from compose.ui.build_progress import ENDS, titled
from compose.ui.live import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from compose.ui.console import Console
    from engine import BuildEvent

_OUTPUT_LINES = 6
_STYLES = {"failed": "red", "done": "blue", "cached": "blue"}
_ROWS_AROUND = 3  # the header, the line of how many more there are, and the prompt


class _Step:
    """One step; `said` is the last of its output."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.kind = "started"
        self.note = ""
        self.said: deque[str] = deque(maxlen=_OUTPUT_LINES)
        self.began_s = self.ended_s = monotonic()

    @property
    def running(self) -> bool:
        return self.kind not in ENDS

    @property
    def took(self) -> str:
        return f"{(monotonic() if self.running else self.ended_s) - self.began_s:.1f}s"

    def rows(self) -> list[tuple[Text, Text]]:
        """Its line, and what it says while it runs."""
        mark = {"cached": "CACHED ", "failed": "ERROR "}.get(self.kind, "")
        title = Text(f" => {mark}{self.title}", style=_STYLES.get(self.kind, ""))
        if self.note:
            title.append(f"  {self.note}", style="dim")
        said = self.said if self.running else ()
        lines = [(Text(f" => => # {text}", style="dim"), Text("")) for text in said]
        return [(title, Text(self.took, style="dim")), *lines]


class LiveBuilds:
    """Ten times a second at most. While there are more steps than the terminal has rows for, those
    that are done give way; in the end all are there."""

    def __init__(self, console: Console) -> None:
        self._steps: dict[tuple[str, int], _Step] = {}
        self._began_s = monotonic()
        self._over = False
        coloured = console.coloured(console.status_stream)
        self._rich = RichConsole(
            file=console.status_stream, no_color=not coloured, force_terminal=True, highlight=False
        )
        self._live = self._new()

    def _new(self) -> Live:
        return Live(
            console=self._rich,
            get_renderable=self._render,
            refresh_per_second=10,
            vertical_overflow="crop",
        )

    def __enter__(self) -> LiveBuilds:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._live.stop()

    def build(self, name: str) -> Callable[[BuildEvent], None]:
        """What shows the events of one build."""
        return lambda event: self._show(name, event)

    def pause(self) -> None:
        """Leave the terminal as it is until `resume`."""
        self._live.stop()

    def resume(self) -> None:
        """Draw again, below what has been written meanwhile."""
        self._live = self._new()
        self._live.start()

    def _show(self, name: str, event: BuildEvent) -> None:
        key = name, event.number
        step = self._steps.setdefault(key, _Step(titled(name, event.step)))
        if event.kind == "output":
            step.said.append(one_line(event.said))
        elif event.kind == "note":
            step.note = one_line(event.text)
        elif event.kind in ENDS:
            step.kind, step.ended_s = event.kind, monotonic()

    def _render(self) -> RenderableType:
        done = sum(not step.running for step in self._steps.values())
        took_s = monotonic() - self._began_s
        header = Text(f"[+] Building {took_s:.1f}s ({done}/{len(self._steps)})")
        shown, hidden = self._fitting()
        table = Table.grid(Column(ratio=1, no_wrap=True), "", padding=(0, 1), expand=True)
        for step in shown:
            for row in step.rows():
                table.add_row(*row)
        more = [Text(f" ... {hidden} more", style="dim")] if hidden else []
        return Group(header, table, *more)

    def _fitting(self) -> tuple[list[_Step], int]:
        """Steps that fit the terminal, and how many do not: those that ended first give way."""
        steps = list(self._steps.values())
        if self._over:
            return steps, 0
        room = max(1, self._rich.size.height - _ROWS_AROUND)
        shown = list(steps)
        for step in steps:
            if sum(len(one.rows()) for one in shown) <= room:
                break
            if not step.running:
                shown.remove(step)
        return shown, len(steps) - len(shown)
