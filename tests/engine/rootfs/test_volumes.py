"""The records of volumes, and the directories that they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import VolumeProblem
from tests.marks import needs_root

if TYPE_CHECKING:
    from engine import Engine

pytestmark = needs_root


def test_a_volume_is_made_once(engine: Engine) -> None:
    one = engine.volumes.create("data", labels={"a": "b"})
    Path(one.path, "file").touch()
    two = engine.volumes.create("data", labels={"c": "d"})
    assert one == two
    assert (two.labels, two.anonymous) == ({"a": "b"}, False)
    assert Path(two.path, "file").exists()


def test_without_a_name_it_is_anonymous(engine: Engine) -> None:
    one, two = engine.volumes.create(), engine.volumes.create()
    assert one.anonymous
    assert len(one.name) == 64
    assert one.name != two.name


def test_they_are_listed_by_name(engine: Engine) -> None:
    for name in ("b", "a.1", "A_2"):
        engine.volumes.create(name)
    assert [volume.name for volume in engine.volumes.list()] == ["A_2", "a.1", "b"]


@pytest.mark.parametrize("name", ["..", ".hidden", "-x", "a/b", "a b", "ä", "x" * 300, "a\0"])
def test_what_could_be_a_path_is_no_name(engine: Engine, name: str) -> None:
    with pytest.raises(VolumeProblem) as caught:
        engine.volumes.create(name)
    assert caught.value.code == "volume-name"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"driver": "nfs"}, "volume-driver"),
        ({"options": {"type": "nfs"}}, "volume-options"),
        ({"options": {"device": "/x"}}, "volume-options"),
        ({"options": {"type": "none", "device": "/x", "size": "1g"}}, "volume-options"),
        ({"options": {"kind": "nfs"}}, "volume-options"),
    ],
)
def test_a_driver_or_options_that_there_are_not(
    engine: Engine, asked: dict[str, Any], code: str
) -> None:
    with pytest.raises(VolumeProblem) as caught:
        engine.volumes.create("data", **asked)
    assert caught.value.code == code
    assert engine.volumes.list() == []


def test_a_removed_volume_is_gone_with_its_content(engine: Engine) -> None:
    volume = engine.volumes.create("data")
    Path(volume.path, "deep").mkdir()
    engine.volumes.remove("data")
    engine.volumes.remove("data")
    assert engine.volumes.find("data") is None
    assert not Path(volume.path).parent.exists()
    with pytest.raises(VolumeProblem, match="no volume `data`"):
        engine.volumes.get("data")
    assert list(Path(engine.roots.temporary).iterdir()) == []


def test_others_may_not_look_inside(engine: Engine) -> None:
    volume = engine.volumes.create("data")
    assert Path(volume.path).parent.stat().st_mode & 0o777 == 0o700
