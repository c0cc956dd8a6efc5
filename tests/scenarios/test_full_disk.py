"""Disks that are full or can only be read: what is said, and what is left."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.kernel import mounts
from tests.docker_archive import write_archive
from tests.engine.images.registry.server import Registry
from tests.engine.images.tars import build, file, tar
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.conftest import Buoy

pytestmark = needs_root

SIZE_MB = 12


@pytest.fixture
def small(buoy: Buoy, busybox_tar: Path) -> Iterator[Buoy]:
    """The command on a disk with some 6 MB that are free."""
    Path(buoy.roots.root).mkdir(exist_ok=True)
    mounts.mount("tmpfs", buoy.roots.root, "tmpfs", data=f"size={SIZE_MB}m,mode=711")
    try:
        buoy.run("image", "load", "-qi", str(busybox_tar))
        yield buoy
        buoy.run("down", "-t", "0", "-v", "--remove-orphans", check=False)
        buoy.run("system", "prune", "-af", "--volumes", check=False)
    finally:
        mounts.unmount(buoy.roots.root)


def noise(size_mb: int) -> bytes:
    return random.Random(5).randbytes(size_mb << 20)


def layer(size_mb: int) -> bytes:
    return tar(*(file(f"f{n}", noise(1)) for n in range(size_mb)))


def free_bytes(buoy: Buoy) -> int:
    return shutil.disk_usage(buoy.roots.root).free


def fill_up(buoy: Buoy, fill: Path) -> bool:
    """Whether a file that takes all there is has left no room."""
    with contextlib.suppress(OSError), fill.open("ab") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    return free_bytes(buoy) == 0


@contextlib.contextmanager
def clean_failure(buoy: Buoy, *says: str) -> Iterator[list[str]]:
    """The commands that are put into the list fail for want of room, and leave nothing."""
    before = free_bytes(buoy)
    images = buoy.run("image", "ls").lines
    argv: list[str] = []
    yield argv
    done = buoy.run(*argv, check=False)
    assert done.exit_code == 1, done.stdout + done.stderr
    assert "error: disk-full" in done.stderr
    assert all(text in done.stderr for text in says), done.stderr
    assert buoy.run("image", "ls").lines == images
    assert eventually(lambda: free_bytes(buoy) > before - (512 << 10))


def test_what_certainly_has_no_room_is_not_begun(small: Buoy) -> None:
    with Registry() as registry:
        reference = registry.put("a", "1", build([layer(20)]))
        small.write("compose.yaml", json.dumps({"services": {"a": {"image": reference}}}))
        with clean_failure(small, "needs 21.0 MB on the disk of", "are free") as argv:
            argv += ["pull"]
        assert not any("/blobs/" in path for path in registry.paths("GET")[2:])


def test_what_is_removed_but_still_on_the_disk_is_waited_for(small: Buoy) -> None:
    """A command that removes something may return before all of it is deleted."""
    archive = small.directory / "a.tar"
    write_archive(archive, {"a:1": [layer(2)]})
    doomed = Path(small.roots.temporary, "gone-before")
    doomed.write_bytes(noise(free_bytes(small) // (1 << 20)))
    assert small.run("image", "load", "-qi", str(archive)).lines == ["Loaded image: a:1"]
    assert not doomed.exists()


def test_a_pull_a_load_and_an_import_that_fill_the_disk_leave_nothing(small: Buoy) -> None:
    """The blob fits, the files beside it do not."""
    with Registry() as registry:
        reference = registry.put("a", "1", build([layer(1), layer(4)]))
        small.write("compose.yaml", json.dumps({"services": {"a": {"image": reference}}}))
        with clean_failure(small, "no space left on the disk of", "buoy system prune") as argv:
            argv += ["pull"]
    archive = small.directory / "rootfs.tar"
    archive.write_bytes(layer(9))
    with clean_failure(small, "no space left on the disk of") as argv:
        argv += ["image", "import", str(archive), "big:1"]
    assert small.run("image", "verify").lines == ["busybox:latest: ok"]


def test_a_build_and_a_commit_that_fill_the_disk_leave_nothing(small: Buoy) -> None:
    (small.directory / "big").write_bytes(noise(9))
    small.write(
        "compose.yaml",
        "services: {a: {build: .}, b: {image: busybox, command: "
        "dd if=/dev/zero of=/big bs=1M count=4}}",
    )
    small.write("Dockerfile", "FROM busybox\nCOPY big /big\n")
    with clean_failure(small) as argv:
        argv += ["build"]
    small.run("up", "b")
    with clean_failure(small) as argv:
        argv += ["commit", "b", "copy:1"]
    small.run("up", "-d", "b")


def test_of_a_disk_without_any_room_things_can_be_removed(small: Buoy) -> None:
    small.write("compose.yaml", "services: {a: {image: busybox, command: sleep 1000, init: true}}")
    small.run("up", "-d")
    fill = Path(small.roots.root, "fill")
    assert eventually(lambda: fill_up(small, fill))  # what was removed before may still be going
    small.run("down", "-t", "0")
    small.run("image", "rm", "busybox")
    assert small.run("image", "ls", "-q").lines == []
    fill.unlink()


def test_a_root_that_can_only_be_read_is_named(small: Buoy) -> None:
    mounts.mount("", small.roots.root, flags=mounts.MS_REMOUNT | mounts.MS_RDONLY)
    try:
        told = small.run("image", "tag", "busybox", "other:1", check=False)
    finally:
        mounts.mount("", small.roots.root, flags=mounts.MS_REMOUNT)
    assert told.exit_code == 1
    assert "error: read-only" in told.stderr
    assert small.roots.root in told.stderr
