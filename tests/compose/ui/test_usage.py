"""Rows of `stats` and `top`, in Docker's words."""

from __future__ import annotations

import pytest

from compose.ui.processes import row
from compose.ui.usage import cells, fields
from engine import Container, Process, Usage

WEB = Container(
    id="ab" * 32,
    name="shop-web-1",
    image_id=None,
    reference="x",
    labels={},
    created_at=0.0,
    status="running",
)
SECOND = 1_000_000_000


def test_rates_are_between_two_looks() -> None:
    before = Usage(at_s=10.0, cpu_ns=5 * SECOND)
    now = Usage(
        at_s=12.0,
        cpu_ns=8 * SECOND,
        memory_bytes=16 << 20,
        memory_limit_bytes=64 << 20,
        pids=3,
        read_bytes=1500,
        received_bytes=900,
    )
    expected = ("16MiB / 64MiB", "25.00%", "900B / 0B", "1.5kB / 0B", "3")
    assert cells(WEB, before, now, full=False)[1:] == ("shop-web-1", "150.00%", *expected)
    assert cells(WEB, None, now, full=True)[:3] == ("ab" * 32, "shop-web-1", "0.00%")


def test_what_does_not_run_uses_nothing() -> None:
    row = cells(WEB, None, None, full=False)
    assert row[2:] == ("0.00%", "0B / 0B", "0.00%", "0B / 0B", "0B / 0B", "0")
    found = fields(row)
    assert (found["ID"], found["Container"], found["CPUPerc"]) == ("ab" * 6, "ab" * 6, "0.00%")


@pytest.mark.parametrize(
    ("age_s", "cpu_s", "cells"),
    [
        (100.0, 50.0, ("50", "00:00:50")),
        (0.0, 3.0, ("99", "00:00:03")),
        (1e6, 7322.0, ("0", "02:02:02")),
    ],
)
def test_processes(age_s: float, cpu_s: float, cells: tuple[str, str]) -> None:
    process = Process(
        pid=7,
        parent_pid=5,
        uid=0,
        started_at=1e9 - age_s,
        cpu_s=cpu_s,
        tty="",
        command="a\x1b[2Jb\nc \u00e9",
    )
    shown = row(process, 1e9)
    assert (shown[3], shown[6]) == cells
    assert (*shown[:3], shown[5]) == ("root", "7", "5", "?")
    assert shown[7] == "a?[2Jb?c \u00e9"
    assert row(process.replace(uid=4_000_000), 1e9)[0] == "4000000"
