"""Volumes that one service takes from another, through the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  lender:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    volumes: ["./out:/out", "named:/named", "/anonymous"]
    tmpfs: /own
  borrower:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    volumes_from: ["lender:ro"]
    volumes: ["/named"]
volumes: {named: }
"""


def test_they_are_the_same_volumes(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.run("up", "-d")

    def sh(service: str, script: str) -> list[str]:
        return buoy.run("exec", "-T", service, "sh", "-c", script, check=False).lines

    sh("lender", "for d in /out /anonymous /named; do echo $d > $d/file; done")
    assert sh("borrower", "cat /out/file /anonymous/file") == ["/out", "/anonymous"]
    assert sh("borrower", "ls /named /own 2>/dev/null; touch /out/x || echo refused") == [
        "/named:",
        "refused",
    ]
    assert buoy.run("up", "-d").stderr.count("Running") == 2


def test_what_the_lender_mounts_counts_for_the_borrower(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.run("up", "-d")
    buoy.write("compose.yaml", TEXT.replace("./out:/out", "./other:/out"))
    plan = buoy.run("plan").stdout
    assert "recreate container lender-1" in plan
    assert "recreate container borrower-1" in plan
    buoy.run("up", "-d")
    (buoy.directory / "other/file").write_text("new\n")
    assert buoy.run("exec", "-T", "borrower", "cat", "/out/file").lines == ["new"]


def test_a_container_outside_of_the_project(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.run("up", "-d", "lender")
    text = TEXT.replace('"lender:ro"', '"container:app-lender-1"')
    buoy.write("compose.yaml", text)
    buoy.run("up", "-d")
    assert buoy.run("exec", "-T", "borrower", "ls", "-d", "/out").lines == ["/out"]
    buoy.write("compose.yaml", text.replace("app-lender-1", "nowhere"))
    done = buoy.run("up", "-d", check=False)
    assert "error: no-such-container" in done.stderr
    assert "compose.yaml:13:" in done.stderr
