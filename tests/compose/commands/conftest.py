"""Commands that change nothing, run in the test's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.compose.projects import Files


@pytest.fixture
def buoy(
    files: Files, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """`buoy ARGS...` in the project directory: its standard output, or its errors."""
    monkeypatch.chdir(files.directory)
    monkeypatch.setenv("BUOY_ROOT", str(files.directory.parent / "root"))
    monkeypatch.setenv("BUOY_RUN_ROOT", str(files.directory.parent / "run"))

    def run(*args: str, code: int = 0) -> str:
        assert main(args) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    return run
