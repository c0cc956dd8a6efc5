"""`buoy build --debug`: a look at the state before the step that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND
from tests.terminals import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

DOCKERFILE = """\
FROM busybox
WORKDIR /srv
RUN touch before
USER app
ENV mode=test
RUN --mount=type=cache,target=/cache,uid=1000 touch after /cache/f; exit 4
"""
PROJECT = "services: {web: {build: .}}"


def test_a_command_is_run_as_the_step_would_have_been(buoy: Buoy) -> None:
    buoy.write("Dockerfile", DOCKERFILE)
    buoy.write("compose.yaml", PROJECT)
    done = buoy.run("build", "--debug=id -un; pwd; ls; ls /cache; echo $mode", check=False)
    assert done.exit_code == 1
    assert done.lines == ["app", "/srv", "before", "f", "test"]
    assert "exit code: 4" in done.stderr
    assert "debug: `/bin/sh -c id -un;" in done.stderr


def test_a_step_without_a_command_is_looked_at_too(buoy: Buoy) -> None:
    buoy.write("Dockerfile", "FROM busybox\nRUN touch /here\nCOPY nothing /\n")
    buoy.write("compose.yaml", PROJECT)
    assert buoy.run("build", "--debug=ls /here", check=False).lines == ["/here"]


@pytest.mark.parametrize("words", ["build --debug", "image build --debug ."])
def test_a_shell_is_opened_on_a_terminal(buoy: Buoy, words: str) -> None:
    buoy.write("Dockerfile", DOCKERFILE)
    buoy.write("compose.yaml", PROJECT)
    command: list[str | Path] = [COMMAND, *words.split()]
    terminal = Terminal(command, cwd=buoy.directory, environment=buoy.environment)
    terminal.expect(b"in the state before the step that failed")
    terminal.expect(b"/srv")  # its prompt
    terminal.send(b"echo user-$(id -un)\n")
    terminal.expect(b"user-app")
    terminal.send(b"exit\n")
    terminal.expect(b"build-step-failed")
    assert terminal.process.wait() == 1


def test_a_shell_without_a_terminal_is_refused_before_anything_is_built(
    buoy: Buoy, busybox: Image
) -> None:
    buoy.write("Dockerfile", DOCKERFILE)
    buoy.write("compose.yaml", PROJECT)
    done = buoy.run("build", "--debug", check=False)
    assert "this is no terminal" in done.stderr
    assert "#1" not in done.stderr
