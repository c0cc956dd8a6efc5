"""How builds are shown: lines of one step together, and drawn in place."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING

from compose.ui import build_progress
from compose.ui.build_progress import JsonBuilds, PlainBuilds, QuietBuilds, build_report
from compose.ui.console import Console
from engine import BuildEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

from compose.ui.build_progress import BuildReport

MADE = "[2/2] RUN make"


def show(report: BuildReport, told: Sequence[tuple[str, BuildEvent]]) -> None:
    async def tell() -> None:
        with report:
            for name, event in told:
                report.build(name)(event)

    asyncio.run(tell())


def lines(console: Console) -> list[str]:
    stream = console.status_stream
    assert isinstance(stream, io.StringIO)
    return stream.getvalue().splitlines()


def console(progress: str | None = "plain") -> Console:
    made = Console("never", progress)
    made.status_stream = io.StringIO()
    return made


def event(number: int, kind: str, text: str = "", step: str = MADE) -> BuildEvent:
    return BuildEvent(number=number, step=step, kind=kind, text=text)  # type: ignore[arg-type]


def test_lines_of_one_step_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_progress, "_PATIENCE_S", 1000.0)
    out = console()
    one, two = "[one 2/2] RUN make", "[two 2/2] RUN make"
    show(
        PlainBuilds(out),
        [
            ("", event(1, "started", step=one)),
            ("", event(2, "started", step=two)),
            ("", event(2, "output", "second", step=two)),
            ("", event(1, "output", "first", step=one)),
            ("", event(1, "done", step=one)),
            ("", event(2, "cached", step=two)),
        ],
    )
    assert lines(out) == [
        "#1 [one 2/2] RUN make",
        "#1 0.000 first",
        "#1 DONE 0.0s",
        "",
        "#2 [two 2/2] RUN make",
        "#2 0.000 second",
        "#2 CACHED",
    ]


def test_a_step_that_is_returned_to_says_its_name_again() -> None:
    out = console()
    show(
        PlainBuilds(out),
        [
            ("", event(1, "started")),
            ("", event(2, "started", step="[b] FROM x")),
            ("", event(2, "done", step="[b] FROM x")),
        ],
    )
    report = lines(out)
    assert report[:4] == ["#1 [2/2] RUN make", "#1 ...", "", "#2 [b] FROM x"]


def test_several_builds_have_names_and_numbers_of_their_own() -> None:
    out = console()
    show(
        PlainBuilds(out),
        [
            ("web", event(1, "started")),
            ("web", event(1, "done")),
            ("db", event(1, "started", step="exporting to image")),
            ("db", event(1, "done", step="exporting to image")),
        ],
    )
    assert [line for line in lines(out) if "DONE" not in line] == [
        *("#1 [web 2/2] RUN make", "", "#2 [db] exporting to image")
    ]


def test_nothing_is_printed_while_the_terminal_is_somebody_elses() -> None:
    out = console()
    report = PlainBuilds(out)
    report.pause()
    report.build("")(event(1, "started"))
    assert lines(out) == []
    show(report, [])
    assert lines(out) == ["#1 [2/2] RUN make"]  # in the end, it is


def test_each_event_is_a_json_object() -> None:
    out = console("json")
    show(JsonBuilds(out), [("web", event(1, "output", "text")), ("web", event(1, "cached"))])
    assert [json.loads(line) for line in lines(out)] == [
        {
            "id": "[web 2/2] RUN make",
            "status": "Working",
            "text": "Building",
            "details": "text",
        },
        {"id": "[web 2/2] RUN make", "status": "Done", "text": "CACHED"},
    ]


def test_on_a_terminal_what_runs_shows_the_last_it_said() -> None:
    out = Console("auto", "tty")
    out.status_stream = io.StringIO()
    told = [("", event(1, "started")), ("", event(2, "started", step="[b 1/1] FROM x"))]
    told += [("", event(1, "output", f"line {number}")) for number in range(9)]
    told += [("", event(2, "cached", step="[b 1/1] FROM x"))]
    show(build_report(out), told)
    drawn = out.status_stream.getvalue().rpartition("[+] Building")[2]  # the last frame
    assert "(1/2)" in drawn
    assert "=> CACHED [b 1/1] FROM x" in drawn
    assert "=> => # 0.000 line 8" in drawn
    assert "line 2" not in drawn


def test_quiet_shows_nothing() -> None:
    out = console("quiet")
    report = build_report(out)
    assert isinstance(report, QuietBuilds)
    show(report, [("", event(1, "started"))])
    assert lines(out) == []
