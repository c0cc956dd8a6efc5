"""A host with a resolv.conf of the test's own, and an upstream that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.network import resolv
from engine.network.dns import forward
from tests.engine.network.dns.resolver import Upstream
from tests.engine.network.world import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.network.world import World


@pytest.fixture
def host_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's resolv.conf, which names 127.0.0.53. Those that it names are waited for."""
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr(resolv, "HOST_FILE", str(path))
    monkeypatch.setattr(forward, "TIMEOUT_S", PATIENCE_S)
    return path


@pytest.fixture
def upstream(host_file: Path, host: None) -> Iterator[Upstream]:
    with Upstream("127.0.0.53") as upstream:
        yield upstream


@pytest.fixture
def lan(upstream: Upstream, world: World) -> World:
    """Two networks, and an upstream of the host."""
    world.network("app_front")
    world.network("app_back")
    return world
