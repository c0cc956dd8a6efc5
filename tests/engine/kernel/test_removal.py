"""Trees are removed whatever is in them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from engine.kernel.removal import remove_tree

if TYPE_CHECKING:
    from pathlib import Path

DEEP = 5000  # longer than PATH_MAX, deeper than Python recurses, more than there are descriptors


def make_deep(top: Path, levels: int) -> None:
    """`d/d/d/...`, with a file and an empty directory in each."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
        os.mkdir("empty", dir_fd=fd)
        os.close(os.open("file", os.O_CREAT, dir_fd=fd))
    os.close(fd)


def test_depth_does_not_matter(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    make_deep(top, DEEP)
    remove_tree(str(top))
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (tmp_path / "top/a/b").mkdir(parents=True)
    (tmp_path / "top/a/link").symlink_to(kept)
    (tmp_path / "link").symlink_to(tmp_path / "top")
    with pytest.raises(NotADirectoryError):
        remove_tree(str(tmp_path / "link"))
    remove_tree("top", dir_fd=os.open(tmp_path, os.O_RDONLY))
    assert sorted(tmp_path.iterdir()) == [kept, tmp_path / "link"]
    assert (kept / "file").exists()


def test_absence_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove_tree(str(tmp_path / "nothing"))
