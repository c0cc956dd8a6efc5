"""Ours, and runc beside it, on one unpacked busybox."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TEST_ROOTS
from tests.engine.oci.runtime import OURS, Runtime
from tests.images import busybox_rootfs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def rootfs() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="b-oci-", dir=TEST_ROOTS))
    directory.chmod(0o755)
    unpack = ["tar", "--numeric-owner", "-xpf", str(busybox_rootfs()), "-C", str(directory)]
    subprocess.run(unpack, check=True)
    yield directory
    shutil.rmtree(directory)


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
    groups = list(Path("/sys/fs/cgroup").glob("*/buoy-oci/*"))
    mine = [path for path in groups if path.name in runtime.ids]
    assert (left, mine) == ([], [])


@pytest.fixture(params=["ours", "runc"])
def either(request: pytest.FixtureRequest, place: Path, rootfs: Path) -> Iterator[Runtime]:
    """The same test with runc: what it says is what callers expect."""
    if request.param == "runc" and shutil.which("runc") is None:
        pytest.skip("needs the program runc")
    command = OURS if request.param == "ours" else ("runc",)
    runtime = Runtime(command, place / request.param, rootfs)
    yield runtime
    runtime.close()
