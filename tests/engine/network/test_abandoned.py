"""What is left of an engine whose root was deleted."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest

from engine.network import abandoned
from engine.network.networks import Networks
from engine.network.spec import NetworkSpec
from engine.state.db import open_database
from engine.state.paths import Roots
from tests.engine.network.world import run
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [needs_root, needs_program("nft"), pytest.mark.usefixtures("host")]


def test_tables_stay_as_long_as_a_bridge_of_one_of_them_is_used(tmp_path: Path) -> None:
    roots = Roots(str(tmp_path / "root"), str(tmp_path / "run"))
    with (
        contextlib.closing(open_database(roots)) as database,
        contextlib.closing(Networks(roots, database)) as networks,
    ):
        unused = networks.create(NetworkSpec(name="unused")).device
        used = networks.create(NetworkSpec(name="used", ipv4=False, ipv6=True)).device
    run("ip", "link", "add", "port", "master", used, "type", "veth", "peer", "name", "far")
    shutil.rmtree(roots.root)
    abandoned.remove()
    assert unused not in run("ip", "link")
    assert used in run("nft", "list", "table", "ip6", roots.kernel_name)
    run("ip", "link", "delete", "port")
    abandoned.remove()
    assert used not in run("ip", "link")
    assert roots.kernel_name not in run("nft", "list", "ruleset")
