"""A project with IPv6, through the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

DUAL = """
services:
  web:
    image: busybox
    command: [httpd, -f, -p, "[::]:80", -h, /etc]
    networks: {lan: {ipv6_address: "fd00:77::80"}}
    stop_grace_period: 0s
  peer: {image: busybox, command: sleep 1000, networks: [lan], stop_grace_period: 0s}
networks:
  lan:
    enable_ipv6: true
    ipam: {config: [{subnet: "fd00:77::/64", aux_addresses: {printer: "fd00:77::2"}}]}
"""


def test_services_find_each_other_over_ipv6(buoy: Buoy) -> None:
    buoy.write("compose.yaml", DUAL)
    buoy.run("up", "-d")
    inside = ("exec", "-T", "peer")
    asking = "until wget -qO- http://[fd00:77::80]/passwd 2>/dev/null; do sleep 0.1; done"
    assert "root:" in buoy.run(*inside, "sh", "-c", asking).stdout
    hosts = buoy.run(*inside, "cat", "/etc/hosts").stdout
    assert "fd00:77::3\t" in hosts  # ::1 is the gateway's, ::2 the printer's
    (network,) = json.loads(buoy.run("network", "inspect", "app_lan").stdout)
    assert network["EnableIPv6"] is True
    assert [config["Subnet"] for config in network["IPAM"]["Config"]][1] == "fd00:77::/64"
    web = next(one for one in network["Containers"].values() if one["Name"] == "app-web-1")
    assert web["IPv6Address"] == "fd00:77::80/64"
    assert buoy.run("up", "-d").exit_code == 0
    buoy.run("down")


def test_an_ipv6_address_outside_of_the_subnet_is_a_problem_with_its_place(buoy: Buoy) -> None:
    text = DUAL.replace("fd00:77::80", "fd00:78::80")
    buoy.write("compose.yaml", text.replace("fd00:77:", "fd00:79:"))  # not that of the test above
    failed = buoy.run("up", "-d", check=False)
    assert failed.exit_code != 0
    assert "`fd00:78::80` is not an address of fd00:79::/64" in failed.stderr
    buoy.run("down")
