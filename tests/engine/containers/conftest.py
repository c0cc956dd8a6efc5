"""A dock for each test, on one unpacked busybox for all of them."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TEST_ROOTS
from tests.engine.containers.dock import Dock
from tests.images import busybox_rootfs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import Engine


@pytest.fixture(scope="session")
def busybox_directory() -> Iterator[Path]:
    """The root filesystem of busybox, unpacked once: no container writes to it."""
    directory = Path(tempfile.mkdtemp(prefix="b-busybox-", dir=TEST_ROOTS))
    directory.chmod(0o755)
    unpack = ["tar", "--numeric-owner", "-xpf", str(busybox_rootfs()), "-C", str(directory)]
    subprocess.run(unpack, check=True)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def dock(engine: Engine, busybox_directory: Path) -> Iterator[Dock]:
    with asyncio.Runner() as runner:
        yield Dock(engine, runner, f"rootfs:{busybox_directory}")


@pytest.fixture
def rootfs(busybox_directory: Path) -> Iterator[Path]:
    """A root filesystem of busybox that the test may spoil; hard links, so it costs nothing."""
    directory = Path(tempfile.mkdtemp(prefix="b-rootfs-", dir=TEST_ROOTS))
    directory.chmod(0o755)
    shutil.copytree(
        busybox_directory, directory, copy_function=_link, dirs_exist_ok=True, symlinks=True
    )
    yield directory
    shutil.rmtree(directory)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
