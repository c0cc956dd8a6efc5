"""`buoy events`: what has become of the containers of a project."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]
TEXT = """
services:
  web: {image: busybox, command: sleep 1000, stop_grace_period: 0s, labels: {tier: front}}
  db: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
"""


def test_what_commands_did_is_shown_of_the_services_asked_for(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.run("up", "-d")
    buoy.run("exec", "-T", "web", "true")
    buoy.run("run", "--rm", "web", "true")
    buoy.run("down")
    shown = [json.loads(line) for line in buoy.run("events", "--json", "web").lines]
    assert [one["action"] for one in shown] == [
        *("create", "start", "exec_create", "exec_die", "die", "stop", "destroy"),
    ]
    assert {(one["service"], one["type"], len(one["id"])) for one in shown} == {
        ("web", "container", 64),
    }
    assert shown[3]["attributes"] == {"exit_code": "0", "name": "app-web-1", "tier": "front"}
    lines = buoy.run("events").lines
    form = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} container create [0-9a-f]{64} \(name=app-"
    assert re.match(form, lines[0])
    assert lines[1] == ""
    assert buoy.run("events", "--until", "1h").stdout == ""
    assert buoy.run("events", "--since", shown[-1]["time"], "web").stdout.count("destroy") == 1
    assert buoy.run("events", "nobody", check=False).exit_code == 1
