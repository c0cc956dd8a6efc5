"""Hooks of a service, through the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  web:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    volumes: ["./out:/out"]
    post_start:
      - {command: ["sh", "-c", "echo $$WHO $$(id -u) $$(pwd) >> /out/started"], user: app,
         working_dir: /tmp, environment: {WHO: me}}
      - command: ["sh", "-c", "echo second >> /out/started"]
    pre_stop:
      - command: ["sh", "-c", "echo stopping >> /out/stopped"]
"""


@pytest.fixture
def hooked(buoy: Buoy) -> Buoy:
    buoy.write("compose.yaml", TEXT)
    buoy.write("out/.keep", "")
    (buoy.directory / "out").chmod(0o777)
    (buoy.directory / "out/started").touch(0o666)
    (buoy.directory / "out/started").chmod(0o666)
    return buoy


def lines(buoy: Buoy, name: str) -> list[str]:
    return (buoy.directory / "out" / name).read_text().splitlines()


def test_they_run_in_order_after_the_start_and_before_the_stop(hooked: Buoy) -> None:
    hooked.run("up", "-d")
    assert lines(hooked, "started") == ["me 1000 /tmp", "second"]
    hooked.run("up", "-d")
    assert len(lines(hooked, "started")) == 2
    hooked.run("restart")
    assert len(lines(hooked, "started")) == 4
    hooked.run("stop")
    assert lines(hooked, "stopped") == ["stopping"] * 2
    hooked.run("down")
    assert len(lines(hooked, "stopped")) == 2


def test_one_that_fails_fails_the_command_with_what_it_wrote(hooked: Buoy) -> None:
    failing = TEXT.replace("echo second >> /out/started", "echo broken >&2; exit 7")
    hooked.write("compose.yaml", failing)
    done = hooked.run("up", "-d", check=False)
    assert done.exit_code == 1
    assert "error: hook-failed" in done.stderr
    assert "compose.yaml:8:5: post_start of container app-web-1 ended with 7" in done.stderr
    assert "hint: it wrote: broken" in done.stderr
    assert hooked.run("ps", "-q").stdout


def test_one_that_cannot_be_executed(hooked: Buoy) -> None:
    hooked.write(
        "compose.yaml", TEXT.replace('["sh", "-c", "echo second', '["nosuch", "-c", "echo')
    )
    done = hooked.run("up", "-d", check=False)
    assert done.exit_code == 1
    assert "error: command-not-found" in done.stderr


def test_without_the_file_those_run_that_a_container_was_made_with(hooked: Buoy) -> None:
    hooked.run("up", "-d")
    (hooked.directory / "compose.yaml").unlink()
    hooked.run("-p", "app", "restart")
    assert lines(hooked, "started") == ["me 1000 /tmp", "second"] * 2
    hooked.run("-p", "app", "down")
    assert lines(hooked, "stopped") == ["stopping"] * 2


def test_those_of_an_orphan_run_before_it_is_removed(hooked: Buoy) -> None:
    hooked.run("up", "-d")
    hooked.write("compose.yaml", "services: {other: {image: busybox, command: sleep 1000}}")
    hooked.run("down", "--remove-orphans")
    assert lines(hooked, "stopped") == ["stopping"]
