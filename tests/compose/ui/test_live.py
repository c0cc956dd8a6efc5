"""Progress on a terminal: what is left on it in the end."""

from __future__ import annotations

import io
import re

import pytest

from compose.reconcile.step import Detail, Step
from compose.ui.console import Console
from compose.ui.live import LiveSteps

WIDTH = 40
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-9]|9[0-7])m")
ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Terminal(io.StringIO):
    """What is written to a terminal of 40 columns and 8 rows."""

    def isatty(self) -> bool:
        return True

    def last_frame(self) -> list[str]:
        """The lines that stay; their escape sequences aside."""
        text = ESCAPE.sub("", self.getvalue().replace("\r", ""))
        return [line.rstrip() for line in ("[+]" + text.rpartition("[+]")[2]).splitlines()]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("LINES", "8")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def live(terminal: Terminal, *names: str) -> tuple[LiveSteps, list[Step]]:
    """The progress of starting containers of these names."""
    console = Console()
    console.status_stream = terminal
    steps = [
        Step(id=number, action="start", kind="container", name=name, cause="created")
        for number, name in enumerate(names, 1)
    ]
    return LiveSteps(console, steps, "up"), steps


def test_each_thing_has_one_row_that_fits(terminal: Terminal) -> None:
    progress, (web, db, job, idle) = live(terminal, "web-1", "db-1", "job-1", "idle-1")
    with progress:
        for step in (web, db, job):
            progress.started(step)
        progress.detail(web, Detail(text="\x1b[32mgreen\x1b[0m " * 9 + "\nmore"))
        progress.done(web, None)
        progress.done(db, "Healthy")
        progress.failed(job, ValueError("a long story of what went wrong\nand more of it"))
        progress.skipped(idle)
    lines = terminal.last_frame()
    assert lines[0] == "[+] up 2/4"
    assert all(len(line) <= WIDTH for line in lines)
    assert [line.split()[:4] for line in lines[1:]] == [
        ["✔", "Container", "web-1", "Started"],
        ["✔", "Container", "db-1", "Healthy"],
        ["✘", "Container", "job-1", "Error"],
        ["!", "Container", "idle-1", "Skipped"],
    ]
    assert lines[4].endswith("Skipped")  # and no time: it was never worked on


def test_in_the_end_all_are_there_however_many(terminal: Terminal) -> None:
    progress, steps = live(terminal, *(f"web-{number}" for number in range(1, 21)))
    with progress:
        for step in steps:
            progress.started(step)
            progress.done(step, None)
    assert len(terminal.last_frame()) == 21


def test_what_was_under_way_is_marked_when_it_ends_early(terminal: Terminal) -> None:
    progress, (web,) = live(terminal, "web-1")
    with progress:
        progress.started(web)
    assert terminal.last_frame()[1].split()[:4] == ["!", "Container", "web-1", "Interrupted"]


@pytest.mark.parametrize("coloured", [True, False])
def test_no_color_is_respected(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, coloured: bool
) -> None:
    if not coloured:
        monkeypatch.setenv("NO_COLOR", "1")
    progress, (web,) = live(terminal, "web-1")
    with progress:
        progress.started(web)
        progress.done(web, None)
    assert bool(COLOUR.search(terminal.getvalue())) is coloured


def test_why_a_container_was_made_anew_stays_on_its_row(terminal: Terminal) -> None:
    progress, (start,) = live(terminal, "web-1")
    recreate = start.replace(action="recreate", cause="image changed")
    with progress:
        for step in (recreate, start):
            progress.started(step)
            progress.done(step, None)
    assert "Container web-1 Started (image" in terminal.last_frame()[1]


def test_layers_have_rows_of_their_own_while_they_move(terminal: Terminal) -> None:
    progress, (web,) = live(terminal, "web-1")
    with progress:
        progress.started(web)
        for text, done, total, part in (
            ("Downloading", 1_000, 4_000, "0123456789ab"),
            ("Pull complete", 2_000, 2_000, "123456789abc"),
        ):
            detail = Detail(text=text, done_bytes=done, total_bytes=total, part=part)
            progress.detail(web, detail)
        progress._live.refresh()
        shown = terminal.last_frame()
        progress.done(web, None)
    assert "3kB/6kB" in shown[1]
    assert shown[2].split()[:2] == ["0123456789ab", "Downloading"]
    assert "1kB" in shown[2]  # the rest does not fit
    assert not any("123456789abc" in line for line in shown)
    assert len(terminal.last_frame()) == 2
