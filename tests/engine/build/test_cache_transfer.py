"""The cache of a build in a directory, used by an engine that has none (engine.md D7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine import CacheTarget
from engine.errors import BuildProblem
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.build.conftest import Workshop

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
FROM busybox AS one
RUN echo of one > /one
FROM busybox
COPY --from=one /one /copied
COPY a /a
RUN echo made > /made
"""


@pytest.mark.parametrize(
    ("whole", "kept"), [(True, ["RUN", "COPY", "COPY", "RUN"]), (False, ["COPY", "COPY", "RUN"])]
)
def test_steps_of_another_engine_are_not_run_again(
    workshop: Workshop, elsewhere: Workshop, tmp_path: Path, whole: bool, kept: list[str]
) -> None:
    workshop.write({"a": "a", ".dockerignore": "cache"})
    place = str(tmp_path / "cache")
    first = workshop.build(TEXT, cache_to={place: CacheTarget(whole=whole)})
    assert [image.id for image in workshop.engine.images.list()].count(first.id) == 1
    assert len(workshop.engine.images.list()) == 2
    assert elsewhere.build(TEXT, cache_from=(place,)).id != ""
    assert sorted(elsewhere.cached()) == sorted(kept)
    assert len(elsewhere.engine.images.list()) == 2


def test_a_cache_that_is_not_there_yet_is_empty(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build("FROM busybox\nRUN true", cache_from=(str(tmp_path / "nothing"),))
    (tmp_path / "steps.json").write_text("no list")
    with pytest.raises(BuildProblem, match="cannot be read"):
        workshop.build("FROM busybox\nRUN true", cache_from=(str(tmp_path),))
