"""An image store of its own for each test, and registries that are real servers on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.images.images import Images
from engine.images.settle import settle
from engine.images.unpack import unpack
from tests.engine.images.registry import Registry
from tests.engine.images.tars import tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.state.paths import Roots


@pytest.fixture
def images(roots: Roots) -> Iterator[Images]:
    """An empty store."""
    images = Images(roots)
    yield images
    images.close()


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[Registry]:
    """A registry that does as the test says, whose clients have time. No credentials of the user's
    are seen, nor tokens of one that had its port before."""
    monkeypatch.setenv("DOCKER_CONFIG", f"{tmp_path}/docker")
    monkeypatch.delenv("DOCKER_AUTH_CONFIG", raising=False)
    monkeypatch.setattr("engine.images.registry.waiting._FIRST_DELAY_S", 0.01)
    monkeypatch.setattr("engine.images.registry.http.CONNECT_TIMEOUT_S", 30.0)
    monkeypatch.setattr("engine.images.registry.tokens._tokens", {})
    monkeypatch.setattr("engine.images.fetch._unreachable", {})
    with Registry() as registry:
        yield registry


@pytest.fixture
def layer(tmp_path: Path) -> Callable[..., Path]:
    """Unpacks members (or a ready tar) into a new directory, on top of `lowers`."""
    count = 0

    def apply(*members: object, lowers: tuple[Path, ...] = ()) -> Path:
        nonlocal count
        count += 1
        target = tmp_path / f"layer{count}"
        target.mkdir()
        first = members[0]
        data = first if isinstance(first, bytes) else tar(*members)  # type: ignore[arg-type]
        unpacked = unpack(iter([data]), str(target), "the layer")
        settle(str(target), unpacked, [str(lower) for lower in lowers], "the layer")
        return target

    return apply
