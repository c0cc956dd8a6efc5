"""Where mounts go: resolved inside a root, made if missing, never outside of it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from engine.rootfs.mounts import ensure_directory, ensure_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def root_fd(root: Path) -> Iterator[int]:
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def found(fd: int, root: Path) -> str:
    """Where a descriptor leads, from the root on; it is closed."""
    path = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
    os.close(fd)
    assert path == str(root) or path.startswith(f"{root}/"), "it is outside"
    return path.removeprefix(str(root))


def test_what_is_there_is_used(root: Path, root_fd: int) -> None:
    (root / "a/b").mkdir(parents=True)
    (root / "a/f").touch()
    assert found(ensure_target(root_fd, "/a/b", directory=True), root) == "/a/b"
    assert found(ensure_target(root_fd, "/a/f", directory=False), root) == "/a/f"
    assert found(ensure_directory(root_fd, "/"), root) == ""


def test_what_is_missing_is_made(root: Path, root_fd: int) -> None:
    before = os.umask(0)
    try:
        os.close(ensure_target(root_fd, "/x/y/file", directory=False))
        os.close(ensure_directory(root_fd, "/d/e/"))
    finally:
        os.umask(before)
    assert (root / "x/y/file").stat().st_mode == 0o100644
    assert (root / "x/y/file").stat().st_size == 0
    assert (root / "x").stat().st_mode == (root / "d/e").stat().st_mode == 0o40755


@pytest.mark.parametrize(
    ("link", "path", "where"),
    [
        ("/there", "/link/new", "/there/new"),
        ("there", "/link/new", "/there/new"),
        ("../../../there", "/link/new", "/there/new"),
        ("/missing", "/link/new", "/missing/new"),
        ("/missing/deep", "/link", "/missing/deep"),
        ("..", "/link/new", "/new"),
        ("/", "/link/new", "/new"),
    ],
)
def test_links_are_followed_inside(
    root: Path, root_fd: int, link: str, path: str, where: str
) -> None:
    (root / "there").mkdir()
    (root / "link").symlink_to(link)
    assert found(ensure_target(root_fd, path, directory=True), root) == where


def test_a_link_to_the_outside_is_made_again_inside(root: Path, root_fd: int) -> None:
    outside = root.parent / "outside"
    (root / "link").symlink_to(outside)
    assert found(ensure_target(root_fd, "/link/f", directory=False), root) == f"{outside}/f"
    assert list(outside.iterdir()) == []


def test_chains_of_links_that_lead_nowhere_yet(root: Path, root_fd: int) -> None:
    for number in range(10):
        (root / f"l{number}").symlink_to(f"l{number + 1}")
    assert found(ensure_target(root_fd, "/l0", directory=True), root) == "/l10"


@pytest.mark.parametrize(
    "links", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "x/../b", "b": "x/../a"}]
)
def test_loops_end(root: Path, root_fd: int, links: dict[str, str]) -> None:
    for name, target in links.items():
        (root / name).symlink_to(target)
    for path in ("/a", "/a/b/c"):
        with pytest.raises(OSError, match="symbolic") as caught:
            ensure_target(root_fd, path, directory=True)
        assert caught.value.errno == errno.ELOOP


def test_a_file_on_the_way_or_in_place_of_a_directory(root: Path, root_fd: int) -> None:
    (root / "file").touch()
    with pytest.raises(NotADirectoryError):
        ensure_target(root_fd, "/file/x", directory=True)
    with pytest.raises(NotADirectoryError):
        ensure_directory(root_fd, "/file")


def test_magic_links_are_not_followed(root: Path, root_fd: int) -> None:
    proc_fd = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        for path in ("/proc/self/exe", "/proc/self/root/etc", f"/proc/self/fd/{root_fd}"):
            with pytest.raises(OSError, match="symbolic") as caught:
                ensure_target(proc_fd, path, directory=True)
            assert caught.value.errno == errno.ELOOP
    finally:
        os.close(proc_fd)


def test_no_descriptor_is_left_open(root: Path, root_fd: int) -> None:
    (root / "link").symlink_to("/missing/a")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    os.close(ensure_target(root_fd, "/link/b/c", directory=False))
    with pytest.raises(NotADirectoryError):
        ensure_target(root_fd, "/link/b/c/d", directory=True)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
