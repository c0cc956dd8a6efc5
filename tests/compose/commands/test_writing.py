"""Files that commands write: there when they are whole, or as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.commands.writing import output
from engine.errors import Problem
from engine.kernel import mounts
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_text("old")
    with output(str(path)) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(KeyError), output(str(path)) as file:
        raise KeyError
    assert [one.name for one in tmp_path.iterdir()] == ["x.tar"]


@needs_root
def test_on_a_full_disk_the_file_stays_as_it_was(tmp_path: Path) -> None:
    """What little is written last fails when the file is closed."""
    mounts.mount("tmpfs", str(tmp_path), "tmpfs", data="size=4k")
    try:
        path = tmp_path / "x.tar"
        path.write_text("old")
        with pytest.raises(Problem, match=str(path.parent)) as caught, output(str(path)) as file:
            file.write(b"new")
        assert caught.value.code == "disk-full"
        assert path.read_text() == "old"
        assert [one.name for one in tmp_path.iterdir()] == ["x.tar"]
    finally:
        mounts.unmount(str(tmp_path))
