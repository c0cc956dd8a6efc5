"""A driver that another package brings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from engine.errors import NetworkProblem
from tests.engine.network.world import World, reached
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_root

DRIVER = '''
"""A bridge whose containers have a smaller MTU."""

from engine.network.drivers.bridge import *

ROUTED = False


def plug(host, netns_fd, endpoint):
    from engine.network.drivers import bridge

    return bridge.plug(host, netns_fd, {**endpoint, "mtu": 1280})
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`buoy-small`, installed."""
    (tmp_path / "buoy_small.py").write_text(DRIVER)
    metadata = tmp_path / "buoy_small-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: buoy-small\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[buoy.network_drivers]\nsmall = buoy_small\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


def test_it_is_found_by_its_entry_point_and_loaded_by_its_file(package: None, world: World) -> None:
    world.network("lan", driver="small")
    web, peer = world.run("web", "lan"), world.run("peer", "lan")
    assert web.record["endpoints"][0]["driver_file"].endswith("buoy_small.py")
    assert reached(peer.sandbox.netns_fd, web.address, 80) == f"web {peer.address}"


def test_one_that_nobody_brings_is_refused_with_those_that_there_are(world: World) -> None:
    with pytest.raises(NetworkProblem, match="no network driver `overlay`") as caught:
        world.network("lan", driver="overlay")
    assert caught.value.code == "driver-unknown"
    assert caught.value.hint is not None
    assert "bridge, ipvlan, macvlan" in caught.value.hint
