"""What a DHCP client's script makes of what a server has said."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from engine.network.dhcp.event import main
from engine.network.dhcp.lease import Lease, read_lease_in
from tests.engine.network.world import run
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_root


@pytest.mark.parametrize(
    ("router", "route"),
    [
        ("10.6.0.1", "default via 10.6.0.1 dev wire"),
        ("10.99.0.1", ""),  # not in the subnet
        ("127.0.0.1", ""),
        ("", ""),
    ],
)
def test_a_lease_is_taken_whatever_its_router_is(
    host: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, router: str, route: str
) -> None:
    run("ip", "link", "add", "wire", "type", "bridge")
    run("ip", "link", "set", "wire", "up")
    record = tmp_path / "config.json"
    record.write_text(json.dumps({"buoy": {"network": {"endpoints": [], "plugs": []}}}))
    for key, value in (("ip", "10.6.0.9"), ("subnet", "255.255.255.0"), ("router", router)):
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(sys, "argv", ["script", "bound"])
    assert main(str(tmp_path), str(record), "wire") == 0
    assert read_lease_in(str(tmp_path)) == Lease(address="10.6.0.9/24", gateway=router)
    assert run("ip", "route", "show", "default").strip() == route
    assert "10.6.0.9/24" in run("ip", "address", "show", "wire")
