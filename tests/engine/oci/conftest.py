"""Ours, and runc beside it, on a busybox that a test may spoil."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import leaks
from tests.conftest import TEST_ROOTS
from tests.engine.containers.conftest import busybox_directory, dock, rootfs
from tests.engine.oci.runtime import OURS, Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["busybox_directory", "dock", "either", "oci", "place", "rootfs"]


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path, for sockets, that others may enter, for user namespaces."""
    directory = Path(tempfile.mkdtemp(prefix="b-o-", dir=TEST_ROOTS))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def oci(place: Path, rootfs: Path) -> Iterator[Runtime]:
    """Ours. Nothing of a container may be left when the test ends."""
    runtime = Runtime(OURS, place / "ours", rootfs)
    yield runtime
    runtime.close()
    left = sorted(path.name for path in runtime.root.iterdir()) if runtime.root.exists() else []
    groups = [path for each in runtime.ids for path in leaks.cgroups_at(f"buoy-oci/{each}")]
    assert (left, groups) == ([], [])


@pytest.fixture(params=["ours", "runc"])
def either(request: pytest.FixtureRequest, place: Path, rootfs: Path) -> Iterator[Runtime]:
    """The same test with runc: what it says is what callers expect."""
    if request.param == "runc" and shutil.which("runc") is None:
        pytest.skip("needs the program runc")
    command = OURS if request.param == "ours" else ("runc",)
    runtime = Runtime(command, place / request.param, rootfs)
    yield runtime
    runtime.close()
