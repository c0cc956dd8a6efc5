"""Speed and time left, from what is heard of a transfer."""

from __future__ import annotations

import io
import json

import pytest

from compose.reconcile.step import Detail, Step
from compose.ui.console import Console
from compose.ui.layers import LayerLines
from compose.ui.progress import JsonSteps
from compose.ui.transfers import Transfer, format_amount

LAYER = "0123456789ab"


@pytest.mark.parametrize(
    ("done", "total", "speed", "shown"),
    [
        (None, None, 0, ""),
        (0, None, 0, ""),
        (0, 50_000_000, 0, "0B/50MB"),
        (12_300_000, 45_100_000, 3_200_000, "12.3MB/45.1MB  3.2MB/s  10s left"),
        (1_000, None, 500, "1kB  500B/s"),
        (0, 10_000_000, 1_000, "0B/10MB  1kB/s  2h46m left"),
        (0, 100_000, 1_000, "0B/100kB  1kB/s  1m40s left"),
    ],
)
def test_as_much_is_said_as_is_known(
    done: int | None, total: int | None, speed: float, shown: str
) -> None:
    assert format_amount(done, total, speed) == shown


def test_the_speed_is_that_of_the_last_seconds() -> None:
    transfer = Transfer()
    transfer.update("Downloading", 0, 10_000, at=0.0)
    assert transfer.speed == 0
    for second in range(1, 11):
        transfer.update("Downloading", second * 100, 10_000, at=float(second))
    assert transfer.speed == pytest.approx(100)
    for second in range(11, 20):
        transfer.update("Downloading", 1_000 + (second - 10) * 500, 10_000, at=float(second))
    assert transfer.speed == pytest.approx(500)
    transfer.update("Pull complete", 10_000, 10_000, at=20.0)
    assert transfer.is_over
    assert transfer.speed == 0


def console() -> tuple[Console, io.StringIO]:
    made = Console()
    made.status_stream = io.StringIO()
    return made, made.status_stream


def test_each_layer_is_said_to_begin_and_to_be_there() -> None:
    made, stream = console()
    lines = LayerLines(made, "Pulling fs layer")
    lines("busybox:1", "1: Pulling from library/busybox", None, None)
    for done in (1, 5, 10):
        lines(LAYER, "Downloading", done, 10)
    lines("busybox:1", "waiting 2 s", 0, None)
    lines(LAYER, "Pull complete", 10, 10)
    assert stream.getvalue().splitlines() == [
        "1: Pulling from library/busybox",
        f"{LAYER}: Pulling fs layer",
        f"{LAYER}: Pull complete",
    ]


def test_layers_are_parts_of_their_image_in_json() -> None:
    made, stream = console()
    step = Step(id=1, action="pull", kind="image", name="busybox", cause="missing")
    report = JsonSteps(made)
    report.detail(step, Detail(text="Downloading", done_bytes=5, total_bytes=10, part=LAYER))
    report.detail(step, Detail(text="Status: new", part="busybox"))
    layer, image = map(json.loads, stream.getvalue().splitlines())
    assert layer == {
        **{"id": LAYER, "parent_id": "Image busybox", "status": "Working"},
        **{"text": "Downloading", "current": 5, "total": 10, "percent": 50},
    }
    assert (image["id"], image["details"]) == ("Image busybox", "Status: new")
