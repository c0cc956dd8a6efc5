"""Networks of other kinds than bridge, through the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

PROJECT = """
services:
  web:
    image: busybox
    command: [httpd, -f, -p, "80", -h, /etc]
    networks: [lan]
    ports: ["80"]
    stop_grace_period: 0s
  peer:
    image: busybox
    command: sleep 1000
    networks: [lan]
    stop_grace_period: 0s
networks:
  lan:
    driver: DRIVER
    ipam: {config: [{subnet: 10.77.0.0/24}]}
"""


def test_services_on_a_macvlan_network_find_each_other(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT.replace("DRIVER", "macvlan"))
    buoy.run("up", "-d")
    asking = "until wget -qO- http://web/passwd 2>/dev/null; do sleep 0.1; done"
    assert "root:" in buoy.run("exec", "-T", "peer", "sh", "-c", asking).stdout
    assert "lan" in buoy.run("network", "ls").stdout
    assert buoy.run("plan").stdout == "nothing to do\n"
    buoy.run("down")


def test_a_driver_that_nobody_has_is_a_problem_with_its_place(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT.replace("DRIVER", "overlay"))
    failed = buoy.run("up", "-d", check=False)
    assert failed.exit_code != 0
    assert "driver-unknown" in failed.stderr
    assert "compose.yaml:16:5" in failed.stderr
    assert "app_lan" not in buoy.run("network", "ls").stdout
