"""Progress where there is no terminal."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from compose.reconcile.step import Step
from compose.ui.console import Console
from compose.ui.progress import JsonSteps, PlainSteps, cause_of

if TYPE_CHECKING:
    from compose.reconcile.step import Action


def step(action: Action, cause: str) -> Step:
    return Step(id=1, action=action, kind="container", name="web-1", cause=cause)


@pytest.mark.parametrize(
    ("action", "cause", "shown"),
    [
        ("recreate", "image changed", " (image changed)"),
        ("remove", "orphan", " (orphan)"),
        ("restart", "db is restarted", " (db is restarted)"),
        ("create", "missing", ""),
        ("start", "created", ""),
        ("wait", "service_healthy", ""),
        ("stop", "asked for", ""),
        ("remove", "down", ""),
    ],
)
def test_a_change_that_nobody_asked_for_says_why(action: Action, cause: str, shown: str) -> None:
    assert cause_of(step(action, cause)) == shown


def test_a_line_is_what_docker_compose_prints_and_the_cause() -> None:
    console = Console()
    console.status_stream = io.StringIO()
    PlainSteps(console).done(step("create", "missing"), None)
    PlainSteps(console).done(step("recreate", "configuration changed: ports"), None)
    assert console.status_stream.getvalue().splitlines() == [
        " Container web-1  Created",
        " Container web-1  Recreated (configuration changed: ports)",
    ]


def test_an_event_has_the_cause_as_its_details() -> None:
    console = Console()
    console.status_stream = io.StringIO()
    JsonSteps(console).done(step("recreate", "image changed"), None)
    assert json.loads(console.status_stream.getvalue()) == {
        "id": "Container web-1",
        "status": "Done",
        "text": "Recreated",
        "details": "image changed",
    }
