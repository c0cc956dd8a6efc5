"""SOURCE_DATE_EPOCH: the same image to the bit, whenever and wherever it is built (D7.5)."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from engine.errors import BuildProblem
from tests.engine.build.conftest import Workshop, find_in
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Engine, Image

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

EPOCH = 1_700_000_000
OLD = 1_600_000_000
DOCKERFILE = """\
FROM busybox AS tools
RUN mkdir -p /t/deep && echo tool > /t/deep/tool && ln -s tool /t/deep/link
FROM busybox
ARG SOURCE_DATE_EPOCH
WORKDIR /srv/app
COPY files /srv/app/
COPY --from=tools /t /t
COPY <<made /srv/
text
made
RUN echo $SOURCE_DATE_EPOCH > /epoch; touch /bin; rm /etc/group
CMD ["sh"]
"""


def build(engine: Engine, directory: Path, **args: str) -> Image:
    shop = Workshop(engine=engine, context=directory)
    shop.write({f"files/{number}": str(number) for number in range(20)})
    os.utime(directory / "files/3", (OLD, OLD))
    return shop.build(DOCKERFILE, args=args, no_cache=True)


def test_the_same_is_built_twice_to_the_bit(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = build(engine, tmp_path_factory.mktemp("one"), SOURCE_DATE_EPOCH=str(EPOCH))
    time.sleep(1.1)  # times in images are whole seconds
    again = build(engine, tmp_path_factory.mktemp("two"), SOURCE_DATE_EPOCH=str(EPOCH))
    assert again.id == first.id
    assert first.created == "2023-11-14T22:13:20Z"
    config = engine.db.execute("SELECT config FROM images WHERE id = ?", (first.id,)).fetchone()[0]
    own = json.loads(config)["history"][1:]
    assert {entry["created"] for entry in own} == {first.created}
    for path, modified in (("/srv/app/3", OLD), ("/srv/app/4", EPOCH), ("/t/deep/link", EPOCH)):
        found = find_in(first, path)
        assert found is not None
        assert found.st_mtime == modified, path


def test_another_moment_is_another_image_and_says_so(workshop: Workshop) -> None:
    text = "FROM scratch\nCOPY f /\n"
    workshop.write({"f": "1"})
    first = workshop.build(text, args={"SOURCE_DATE_EPOCH": str(EPOCH)})
    again = workshop.build(text, args={"SOURCE_DATE_EPOCH": str(EPOCH + 1)})
    assert first.id != again.id
    assert workshop.notes() == ["SOURCE_DATE_EPOCH changed"]
    assert not any("not consumed" in event.text for event in workshop.events)


@pytest.mark.parametrize("text", ["yesterday", "1e9", "999999999999999"])
def test_a_moment_that_is_none_is_refused(workshop: Workshop, text: str) -> None:
    with pytest.raises(BuildProblem) as caught:
        workshop.build("FROM scratch\n", args={"SOURCE_DATE_EPOCH": text})
    assert caught.value.code == "invalid-epoch"
