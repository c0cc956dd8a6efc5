"""What the host has that gets in the way of containers is told, once a command."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND, TIMEOUT_S

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

ONE = """
services:
  one: {image: busybox, command: echo up}
  two: {image: busybox, command: echo up, depends_on: [one]}
"""
FIREWALL = """
table inet mine { chain watch { type filter hook forward priority 0; policy drop; }; }
"""


def behind_a_firewall(buoy: Buoy, *args: str) -> str:
    """What the command says on a host (a network namespace) whose firewall drops all."""
    script = 'nft -f - <<< "$1"; "$0" "${@:2}"; code=$?; "$0" down -t 0 2>/dev/null; exit $code'
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", script, COMMAND, FIREWALL, *args],
        cwd=buoy.directory,
        env=buoy.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return done.stderr


@pytest.mark.parametrize("args", [("up", "-d"), ("up",)])
def test_a_firewall_that_drops_all_is_told_once(buoy: Buoy, args: tuple[str, ...]) -> None:
    buoy.write("compose.yaml", ONE)
    told = behind_a_firewall(buoy, *args)
    assert told.count("network app_default: nftables chain `inet mine watch` drops") == 1
