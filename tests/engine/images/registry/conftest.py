"""A second store, certificates of the tests' own, and settings that are not the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.images.images import Images
from engine.state.paths import Roots
from tests.engine.images.registry.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One that no system trusts."""
    (tmp_path / "authority").mkdir()
    return Authority.create(tmp_path / "authority")


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Images]:
    """A second store, for what was pushed to be pulled into."""
    images = Images(Roots(f"{tmp_path}/others"))
    yield images
    images.close()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes the `registries.toml` of the user; its path."""
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{tmp_path}/config")
    monkeypatch.setattr("engine.images.registry.docker_daemon.PATH", f"{tmp_path}/daemon.json")
    path = tmp_path / "config/buoy/registries.toml"
    path.parent.mkdir(parents=True)

    def write(text: str) -> Path:
        path.write_text(text)
        return path

    return write
