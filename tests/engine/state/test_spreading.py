"""Where files of layers and containers come to lie."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from engine import Engine
    from engine.state.paths import Roots


def test_what_comes_and_goes_is_spread_over_an_ext4_disk(roots: Roots, engine: Engine) -> None:
    engine.db.execute("SELECT 1")
    listed = subprocess.run(["lsattr", "-d", roots.temporary], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("lsattr cannot read the flags of this filesystem")
    assert "T" in listed.stdout.split()[0]
