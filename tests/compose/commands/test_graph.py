"""`buoy graph`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.__main__ import main

if TYPE_CHECKING:
    from tests.compose.projects import Files


@pytest.mark.parametrize(
    ("form", "begins"),
    [("text", "web\n"), ("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")],
)
def test_the_named_services_are_shown(
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    form: str,
    begins: str,
) -> None:
    files.write(
        "services: {web: {image: x, depends_on: [db]}, db: {image: y}, other: {image: z}}\n"
    )
    monkeypatch.chdir(files.directory)
    monkeypatch.setenv("BUOY_ROOT", str(files.directory.parent / "root"))
    assert main(["graph", "--format", form, "web"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(begins)
    assert "db" in shown
    assert "other" not in shown
    assert main(["graph", "--format", form, "--output", "g", "web"]) == 0
    assert (files.directory / "g").read_text().rstrip("\n") == shown.rstrip("\n")


@pytest.mark.parametrize("verb", ["graph", "config"])
def test_a_file_that_cannot_be_written_is_a_problem(
    files: Files, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    files.write("services: {web: {image: x}}\n")
    monkeypatch.chdir(files.directory)
    monkeypatch.setenv("BUOY_ROOT", str(files.directory.parent / "root"))
    assert main([verb, "--output", "none/x"]) == 1
    assert "none/x cannot be written: No such file or directory" in capsys.readouterr().err
