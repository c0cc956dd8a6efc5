"""Room on the disk that is set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.state.reserve import keep_reserve, making_room, release_reserve

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("found", [None, b"", b"half"])
def test_it_is_whole_whatever_was_there(tmp_path: Path, found: bytes | None) -> None:
    file = tmp_path / "reserve"
    if found is not None:  # who made it was killed before it had its room
        file.write_bytes(found)
    with making_room(str(tmp_path)):
        pass
    assert file.stat().st_blocks * 512 >= 512 * 1024


def test_it_is_released_once(tmp_path: Path) -> None:
    keep_reserve(str(tmp_path))
    assert release_reserve(str(tmp_path))
    assert not release_reserve(str(tmp_path))
