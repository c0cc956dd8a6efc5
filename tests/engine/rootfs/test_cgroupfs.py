"""/sys/fs/cgroup where the kernel does not let a container mount cgroup2 (engine.md A2.4)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cgroups.hierarchy import Hierarchies
from tests.marks import needs_root

pytestmark = needs_root

# In a user namespace of its own, but in the cgroup namespace of the host.
MOUNT = """
import os, sys
from engine.kernel import idmap, mounts
from engine.kernel.namespaces import CLONE_NEWNS, unshare
from engine.rootfs.cgroupfs import mount_unified
ids = [{"containerID": 0, "hostID": 0, "size": 65536}]
idmap.enter_new(ids, ids)
unshare(CLONE_NEWNS)
target, own = sys.argv[1:]
mounts.mount("", "/", flags=mounts.MS_PRIVATE | mounts.MS_REC)
entry = {"destination": "/cgroup", "type": "cgroup2", "source": "cgroup",
         "options": ["nosuid", "noexec", "nodev", "ro"]}
mount_unified(os.open(target, os.O_PATH | os.O_DIRECTORY), entry, own or None)
print(*sorted(os.listdir(f"{target}/cgroup")))
try:
    os.mkdir(f"{target}/cgroup/below")
except OSError as error:
    print(error.strerror)
"""


@pytest.fixture
def unified() -> Path:
    """Where cgroup2 is mounted."""
    found = Hierarchies.detect().v2
    if not found:
        pytest.skip("there is no cgroup2")
    return Path(found)


def _mounted(tmp_path: Path, own: str) -> list[str]:
    (tmp_path / "cgroup").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", MOUNT, str(tmp_path), own],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


def test_its_own_group_is_shown_in_place_of_all(tmp_path: Path, unified: Path) -> None:
    own = unified / f"b-test-{os.getpid()}"
    own.mkdir()
    (own / "inner").mkdir()
    try:
        shown, refused = _mounted(tmp_path, str(own))
    finally:
        (own / "inner").rmdir()
        own.rmdir()
    assert {"cgroup.procs", "inner"} <= set(shown.split())
    assert refused == "Read-only file system"


def test_without_one_there_is_nothing_to_see(tmp_path: Path) -> None:
    assert _mounted(tmp_path, "") == ["", "Read-only file system"]
