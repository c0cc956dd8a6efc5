"""Builds that start from the image of another service, through the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  app:
    build:
      context: .
      additional_contexts: {base: "service:below"}
      dockerfile_inline: |
        FROM base
        RUN echo of the app > /app
    command: sh -c 'cat /below /app; exec sleep 1000'
    stop_grace_period: 0s
  below:
    build:
      context: .
      dockerfile_inline: |
        FROM busybox
        RUN echo of the base > /below
    profiles: [never]
    command: "true"
"""


@pytest.mark.parametrize("first", [("build", "app"), ("up", "-d", "app"), ("up", "-d", "--build")])
def test_what_it_starts_from_is_built_before_and_not_started(
    buoy: Buoy, first: tuple[str, ...]
) -> None:
    buoy.write("compose.yaml", TEXT.replace("    profiles: [never]\n", "    scale: 0\n"))
    buoy.run(*first)
    buoy.run("up", "-d", "app")
    logs = ("logs", "app", "--no-log-prefix")
    assert eventually(lambda: buoy.run(*logs).lines == ["of the base", "of the app"])
    assert buoy.run("ps", "-a", "--services").lines == ["app"]


def test_what_is_disabled_cannot_be_built_from(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    done = buoy.run("config", "-q", check=False)
    assert "error: dependency-disabled" in done.stderr
