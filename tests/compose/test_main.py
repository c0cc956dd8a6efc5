"""Standard streams that are not there, or that nothing can be written to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("buoy")
VERBS = ("version", "--help", "up --help")


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["env", "-u", "PYTHONUNBUFFERED", "sh", "-c", line, COMMAND],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("verb", VERBS)
def test_output_that_cannot_be_written_is_a_problem(verb: str) -> None:
    done = shell(f'"$0" {verb} >/dev/full')
    told = "error: output\nstandard output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize("verb", VERBS)
def test_streams_that_are_closed_are_done_without(verb: str) -> None:
    done = shell(f'"$0" {verb} <&- >&-')
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert shell('"$0" nosuch <&- >&- 2>&-').returncode == 1
