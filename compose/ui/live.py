"""Live progress on a terminal: a header `[+] up 3/5` and one line per thing (cli.md 3)."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from compose.ui.progress import WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from compose.reconcile.step import Step
    from compose.ui.console import Console

MARKS = {"done": ("✔", "green"), "failed": ("✘", "red"), "skipped": ("!", "yellow")}
ROWS_AROUND = 2  # the header, and the line that says how many more there are


class _Line:
    """What is shown of one thing; several steps may follow each other on it."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.text = ""
        self.detail = ""
        self.state = "waiting"  # waiting, doing, done, failed, skipped
        self.started_at = self.ended_at = 0.0
        self.spinner = Spinner("dots", style="cyan")

    def begin(self, text: str) -> None:
        self.started_at = self.started_at or monotonic()
        self.text, self.state, self.detail = text, "doing", ""

    def end(self, state: str, text: str) -> None:
        self.text, self.state, self.ended_at, self.detail = text, state, monotonic(), ""


class LiveSteps:
    """Draws the lines of `steps` in place, ten times a second at most, until left."""

    def __init__(self, console: Console, steps: Sequence[Step], title: str) -> None:
        self._title = title
        self._left = {step.id for step in steps}
        self._total = len(steps)
        self._lines: dict[str, _Line] = {}
        coloured = console.coloured(console.status_stream)
        self._rich = RichConsole(
            file=console.status_stream, no_color=not coloured, force_terminal=True, highlight=False
        )
        self._live = Live(
            console=self._rich,
            get_renderable=self._render,
            refresh_per_second=10,
            vertical_overflow="crop",
        )

    def __enter__(self) -> LiveSteps:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def started(self, step: Step) -> None:
        self._line(step).begin(WORDS[step.action].doing)

    def done(self, step: Step, word: str | None) -> None:
        self._finish(step, "done", word or WORDS[step.action].done)

    def failed(self, step: Step, error: Exception) -> None:
        self._finish(step, "failed", f"Error {error}")

    def skipped(self, step: Step) -> None:
        self._finish(step, "skipped", "Skipped")

    def detail(
        self, step: Step, text: str, done_bytes: int | None, total_bytes: int | None
    ) -> None:
        share = f" {100 * done_bytes // total_bytes}%" if done_bytes and total_bytes else ""
        self._line(step).detail = text + share

    def _line(self, step: Step) -> _Line:
        return self._lines.setdefault(step.subject, _Line(step.subject))

    def _finish(self, step: Step, state: str, text: str) -> None:
        self._left.discard(step.id)
        self._line(step).end(state, text)

    def _render(self) -> RenderableType:
        header = Text(f"[+] {self._title} {self._total - len(self._left)}/{self._total}")
        shown, hidden = self._fitting()
        table = Table.grid(padding=(0, 1))
        for line in shown:
            table.add_row(*self._row(line))
        more = [Text(f" ... {hidden} more", style="dim")] if hidden else []
        return Group(header, table, *more)

    def _fitting(self) -> tuple[list[_Line], int]:
        """Lines that fit the terminal, those under way first; and how many do not."""
        lines = list(self._lines.values())
        room = max(1, self._rich.size.height - ROWS_AROUND - 1)
        if len(lines) > room:
            lines.sort(key=lambda line: line.state == "done")
        return lines[:room], max(0, len(lines) - room)

    def _row(self, line: _Line) -> tuple[RenderableType, ...]:
        ended = line.state in MARKS
        sign, style = MARKS.get(line.state, ("", "cyan"))
        mark = Text(f" {sign}", style=style) if ended else Padding(line.spinner, (0, 0, 0, 1))
        took = (line.ended_at if ended else monotonic()) - line.started_at
        text = Text(line.text, style=style)
        if line.detail:
            text.append(f" {line.detail}", style="dim")
        return mark, Text(line.subject), text, Text(f"{took:5.1f}s", style="dim")
