"""An image store of its own for each test, and registries that are real servers on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.images.images import Images
from tests.engine.images.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.state.paths import Roots


@pytest.fixture
def images(roots: Roots) -> Iterator[Images]:
    """An empty store."""
    images = Images(roots)
    yield images
    images.close()


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[Registry]:
    """A registry that does as the test says. No credentials of the user's are seen."""
    monkeypatch.setenv("DOCKER_CONFIG", f"{tmp_path}/docker")
    monkeypatch.delenv("DOCKER_AUTH_CONFIG", raising=False)
    monkeypatch.setattr("engine.images.registry.waiting._FIRST_DELAY_S", 0.01)
    monkeypatch.setattr("engine.images.fetch._unreachable", {})
    with Registry() as registry:
        yield registry
