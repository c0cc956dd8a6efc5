"""Volumes that are defined otherwise than they were made."""

from __future__ import annotations

import contextlib
import os
import pty
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  db:
    image: busybox
    command: sleep 1000
    volumes: ["data:/data"]
    stop_grace_period: 0s
volumes: {data: {labels: {tier: back}}}
"""
KEPT = "warning: volume `app_data` exists with another definition (labels tier) and is kept"


@pytest.fixture
def changed(buoy: Buoy) -> Buoy:
    """A project that runs, and whose file has another label for its volume since."""
    buoy.write("compose.yaml", TEXT)
    buoy.run("up", "-d")
    buoy.run("exec", "-T", "db", "touch", "/data/kept")
    buoy.write("compose.yaml", TEXT.replace("back", "front"))
    return buoy


def read_all(master: int) -> str:
    """What was written to a terminal that nobody has open any more."""
    shown = b""
    with contextlib.suppress(OSError):  # EIO at the end
        while part := os.read(master, 1 << 16):
            shown += part
    os.close(master)
    return shown.decode()


def content(buoy: Buoy) -> list[str]:
    return buoy.run("exec", "-T", "db", "ls", "/data").lines


def test_it_is_kept_and_that_is_said(changed: Buoy) -> None:
    assert KEPT in changed.run("plan").stderr
    assert KEPT in changed.run("up", "-d").stderr
    assert content(changed) == ["kept"]


def test_with_yes_it_is_recreated_with_its_containers(changed: Buoy) -> None:
    assert changed.run("up", "-d", "-y").stderr.splitlines() == [
        " Container db-1  Stopped (its volume is recreated)",
        " Container db-1  Removed (its volume is recreated)",
        " Volume app_data  Recreated (configuration changed)",
        " Container db-1  Created",
        " Container db-1  Started",
    ]
    assert content(changed) == []
    assert changed.run("plan").stdout == "nothing to do\n"


@pytest.mark.parametrize(("answer", "left"), [(b"\n", ["kept"]), (b"y\n", [])])
def test_on_a_terminal_it_is_asked(changed: Buoy, answer: bytes, left: list[str]) -> None:
    master, terminal = pty.openpty()
    os.write(master, answer)
    process = changed.start("up", "-d", stdin=terminal, stderr=terminal)
    os.close(terminal)
    process.communicate()
    assert process.returncode == 0
    shown = read_all(master)
    assert "Recreate it (what is in it will be lost)? [yN]" in shown
    assert content(changed) == left


def test_one_that_another_project_uses_is_kept_even_with_yes(changed: Buoy) -> None:
    other = TEXT.replace("{labels: {tier: back}}", "{external: true, name: app_data}")
    changed.write("other/compose.yaml", other)
    changed.run("-f", "other/compose.yaml", "-p", "other", "up", "-d")
    assert "is kept: other-db-1 has it, too" in changed.run("up", "-d", "-y").stderr
    assert content(changed) == ["kept"]
    changed.run("-p", "other", "down", "-t", "0")
