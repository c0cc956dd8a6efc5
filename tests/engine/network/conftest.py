"""Networks in a namespace of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.network.world import World, private_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.state.paths import Roots


@pytest.fixture
def host() -> Iterator[None]:
    """The test in a network namespace of its own."""
    with private_host():
        yield


@pytest.fixture
def world(roots: Roots, host: None) -> Iterator[World]:
    """An engine's networks in such a namespace."""
    world = World(roots)
    try:
        yield world
    finally:
        world.close()
