"""Live progress on a terminal: a header `[+] up 3/5` and one line per thing (cli.md 3)."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Column, Table
from rich.text import Text

from compose.ui.progress import WORDS, cause_of
from compose.ui.transfers import Transfer, format_amount, is_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from compose.reconcile.step import Detail, Step
    from compose.ui.console import Console

MARKS = {"done": ("✔", "green"), "failed": ("✘", "red"), "skipped": ("!", "yellow")}
ROWS_AROUND = 2  # the header, and the line that says how many more there are


_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])|[\x00-\x1f\x7f]+")


def one_line(text: str) -> str:
    """The first line of a text, without what would move the cursor or colour it."""
    return _ESCAPES.sub(" ", text.strip().partition("\n")[0]).strip()


class _Line:
    """What is shown of one thing; several steps may follow each other on it."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.text = ""
        self.detail = ""
        self.cause = ""  # of a change that is shown with one
        self.state = "waiting"  # waiting, doing, done, failed, skipped
        self.started_at = self.ended_at = 0.0
        self.layers: dict[str, Transfer] = {}
        self.spinner = Spinner("dots", style="cyan")

    def begin(self, text: str) -> None:
        self.started_at = self.started_at or monotonic()
        self.text, self.state, self.detail = text, "doing", ""

    def end(self, state: str, text: str) -> None:
        self.text, self.state, self.ended_at, self.detail = text, state, monotonic(), ""
        self.layers.clear()

    @property
    def moving(self) -> list[tuple[str, Transfer]]:
        """The layers that are on their way."""
        return [(name, one) for name, one in list(self.layers.items()) if not one.is_over]

    @property
    def amount(self) -> str:
        """Of all layers together."""
        layers = list(self.layers.values())
        done = sum(one.done_bytes or 0 for one in layers)
        total = sum(one.total_bytes or 0 for one in layers)
        return format_amount(done, total, sum(one.speed for one in layers if not one.is_over))

    @property
    def took(self) -> str:
        """How long it has been worked on; nothing for what never was."""
        if not self.started_at:
            return ""
        ended_at = self.ended_at if self.state in MARKS else monotonic()
        return f"{ended_at - self.started_at:.1f}s"


class LiveSteps:
    """Draws the lines of `steps` in place, ten times a second at most, until left.

    Each takes one row: what does not fit the width is cut. While there are more than the terminal
    has rows for, those that are done give way; in the end all are there.
    """

    def __init__(self, console: Console, steps: Sequence[Step], title: str) -> None:
        self._title = title
        self._done, self._total = 0, len(steps)
        self._lines = {step.subject: _Line(step.subject) for step in steps}
        self._over = False
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
        self._over = True
        for line in self._lines.values():
            if line.state == "doing":
                line.end("skipped", "Interrupted")
        self._live.stop()

    def started(self, step: Step) -> None:
        self._line(step).begin(WORDS[step.action].doing)

    def done(self, step: Step, word: str | None) -> None:
        self._done += 1
        self._line(step).cause = cause_of(step).strip() or self._line(step).cause
        self._finish(step, "done", word or WORDS[step.action].done)

    def failed(self, step: Step, error: Exception) -> None:
        self._finish(step, "failed", f"Error {one_line(str(error))}")

    def skipped(self, step: Step) -> None:
        self._finish(step, "skipped", "Skipped")

    def detail(self, step: Step, detail: Detail) -> None:
        line = self._line(step)
        text = one_line(detail.text)
        if is_layer(detail.part):
            layer = line.layers.setdefault(detail.part, Transfer())
            layer.update(text, detail.done_bytes, detail.total_bytes)
            line.detail = line.amount
        else:
            line.detail = text

    def _line(self, step: Step) -> _Line:
        return self._lines[step.subject]

    def _finish(self, step: Step, state: str, text: str) -> None:
        self._line(step).end(state, text)

    def _render(self) -> RenderableType:
        header = Text(f"[+] {self._title} {self._done}/{self._total}")
        shown, hidden = self._fitting()
        table = Table.grid("", "", Column(ratio=1, no_wrap=True), "", padding=(0, 1), expand=True)
        room = self._room - len(shown)
        for line in shown:
            table.add_row(*self._row(line))
            for name, layer in line.moving[: max(0, room)]:
                table.add_row(*_layer_row(name, layer))
                room -= 1
        more = [Text(f" ... {hidden} more", style="dim")] if hidden else []
        return Group(header, table, *more)

    def _fitting(self) -> tuple[list[_Line], int]:
        """Lines that fit the terminal, those under way first; and how many do not."""
        lines = [line for line in self._lines.values() if line.state != "waiting"]
        room = self._room
        if self._over:
            return lines, 0
        if len(lines) > room:
            lines.sort(key=lambda line: line.state == "done")
        return lines[:room], max(0, len(lines) - room)

    @property
    def _room(self) -> int:
        """Rows that the terminal has for lines."""
        return max(1, self._rich.size.height - ROWS_AROUND - 1)

    def _row(self, line: _Line) -> tuple[RenderableType, ...]:
        ended = line.state in MARKS
        sign, style = MARKS.get(line.state, ("", "cyan"))
        mark = Text(f" {sign}", style=style) if ended else Padding(line.spinner, (0, 0, 0, 1))
        text = Text(line.text, style=style)
        if line.detail or line.cause:
            text.append(f" {line.detail or line.cause}", style="dim")
        return mark, Text(line.subject), text, Text(line.took, style="dim")


def _layer_row(name: str, layer: Transfer) -> tuple[RenderableType, ...]:
    text = Text(layer.text, style="cyan")
    text.append(f" {layer.amount}", style="dim")
    return Text(), Text(f"  {name}", style="dim"), text, Text()
