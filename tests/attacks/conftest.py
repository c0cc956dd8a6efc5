"""The dock of the containers' tests, and images that a test may spoil."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.containers.conftest import busybox_directory, dock, rootfs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.containers.dock import Dock

__all__ = ["busybox_directory", "dock", "rootfs", "spoilt"]


@pytest.fixture
def spoilt(dock: Dock, rootfs: Path) -> Dock:
    """A dock whose image is the test's own `rootfs`."""
    dock.image = f"rootfs:{rootfs}"
    return dock
