"""The store after commands that were killed at some instant; `tests.bench.kill_store` does more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.images.registry.server import Registry
from tests.interruptions import Interrupted
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from engine.state.paths import Roots

pytestmark = needs_root


@pytest.mark.parametrize("kind", ["pull", "load", "build", "prune"])
def test_a_killed_command_leaves_a_store_that_works(
    roots: Roots, tmp_path: Path, kind: str
) -> None:
    with Registry() as registry:
        store = Interrupted(roots, tmp_path, registry, seed=6)
        for _ in range(2):
            store.round(kind)
        store.end()
