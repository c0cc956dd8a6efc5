"""The build cache: what hits, what misses, and what is said of it (engine.md D7)."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import BuildSpec, build_image
from tests.engine.build.conftest import Workshop
from tests.marks import needs_root

if TYPE_CHECKING:
    from typing import Any

    from engine import BuildEvent, Engine

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

DOCKERFILE = """
FROM busybox
ARG version=1
COPY a.txt dir /x/
RUN cat /x/* > /all
ENV after=1
RUN echo $after
CMD ["sh"]
"""
FILES = {"a.txt": "a", "dir/b": "b", "other": "o"}


@pytest.fixture
def built(workshop: Workshop) -> Workshop:
    """A workshop where DOCKERFILE was built."""
    workshop.write(FILES)
    workshop.build(DOCKERFILE)
    return workshop


def test_the_same_again_is_the_same_image_and_runs_nothing(workshop: Workshop) -> None:
    workshop.write(FILES)
    first = workshop.build(DOCKERFILE)
    time.sleep(1.1)  # times are in whole seconds: one that was taken anew would differ
    again = workshop.build(DOCKERFILE)
    assert again.id == first.id
    assert len(workshop.steps("cached")) == 3
    assert workshop.notes() == []


def test_another_project_shares_the_steps(
    built: Workshop, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Workshop(engine=engine, context=tmp_path_factory.mktemp("other"))
    other.write(FILES)
    other.build(DOCKERFILE, labels={"project": "other"})
    assert len(other.steps("cached")) == 3


def change_content(context: Path) -> None:
    (context / "dir/b").write_text("B")


def add_file(context: Path) -> None:
    (context / "dir/new").write_text("n")


def remove_file(context: Path) -> None:
    (context / "dir/b").unlink()


def change_mode(context: Path) -> None:
    (context / "a.txt").chmod(0o755)


def add_several(context: Path) -> None:
    for number in range(5):
        (context / f"dir/f{number}").write_text("")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_content, "dir/b changed"),
        (add_file, "dir/new is new"),
        (remove_file, "dir/b is gone"),
        (change_mode, "a.txt changed"),
        (add_several, "dir/f0, dir/f1, dir/f2 and 2 more is new"),
    ],
)
def test_a_step_says_which_file_invalidated_it(
    built: Workshop, change: object, reason: str
) -> None:
    assert callable(change)
    change(built.context)
    built.build(DOCKERFILE)
    assert built.notes()[0] == reason
    assert built.steps("cached") == []


def test_times_owners_and_other_files_invalidate_nothing(built: Workshop) -> None:
    os.utime(built.context / "a.txt", (1, 1))
    os.chown(built.context / "a.txt", 5, 5)
    (built.context / "other").write_text("changed")
    built.build(DOCKERFILE)
    assert len(built.steps("cached")) == 3


def test_only_what_is_in_a_directory_that_is_copied_counts(built: Workshop) -> None:
    (built.context / "dir").chmod(0o700)
    built.build(DOCKERFILE)
    assert built.notes() == []
    (built.context / "dir/b").chmod(0o700)
    built.build(DOCKERFILE)
    assert built.notes()[0] == "dir/b changed"


def test_a_file_that_is_changed_in_place_with_its_old_time_is_noticed(built: Workshop) -> None:
    path = built.context / "a.txt"
    before = path.stat()
    path.write_text("z")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    built.build(DOCKERFILE)
    assert built.notes()[0] == "a.txt changed"


@pytest.mark.parametrize(
    ("before", "after", "args", "reasons", "cached"),
    [
        ("CMD", "CMD", {"version": "2"}, ["build argument version changed"], 1),
        ("after=1", "after=2", {}, ["environment variable after changed"], 2),
        ("echo $after", "echo no", {}, ["the instruction changed; it was: RUN echo $after"], 2),
        ('CMD ["sh"]', 'CMD ["ls"]', {}, [], 3),
        ("COPY a.txt", "LABEL x=y\nCOPY a.txt", {}, [], 3),
        (
            "COPY a.txt dir",
            "COPY --chmod=600 a.txt dir",
            {},
            ["the instruction changed; it was: COPY a.txt dir /x/"],
            0,
        ),
        ("RUN", 'SHELL ["/bin/sh", "-ec"]\nRUN', {}, ["SHELL changed"], 1),
    ],
)
def test_a_step_says_what_of_the_dockerfile_invalidated_it(
    built: Workshop,
    before: str,
    after: str,
    args: dict[str, str],
    reasons: list[str],
    cached: int,
) -> None:
    built.build(DOCKERFILE.replace(before, after, 1), args=args)
    assert built.notes()[: len(reasons)] == reasons
    assert len(built.steps("cached")) == cached


def test_a_step_says_that_its_heredoc_invalidated_it(workshop: Workshop) -> None:
    for word in ("one", "two"):
        workshop.build(f"FROM busybox\nRUN <<END\n[ -n {word} ]\nEND")
    assert workshop.notes() == ["the text of the command changed"]
    workshop.build("FROM busybox\nRUN [ -n three ]")
    assert workshop.steps("done")[-2] == "RUN [ -n three ]"


def test_what_a_step_is_built_on_is_named(
    workshop: Workshop, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also where that was in the cache, for somebody else has built it, and where it is FROM."""
    text = "FROM busybox AS base\nRUN echo {one} > /1\nFROM base\nRUN echo {two} > /2\n"
    workshop.build(text.format(one=1, two=2) + "RUN true")
    other = Workshop(engine=engine, context=tmp_path_factory.mktemp("other"))
    other.build(text.format(one=1, two=3))
    workshop.build(text.format(one=1, two=3) + "RUN true")
    assert workshop.steps("cached")[-1] == "RUN echo 3 > /2"
    assert workshop.notes() == ["what it is built on changed: step 2"]
    workshop.build(text.format(one=4, two=3) + "RUN true")
    changed = "what it is built on changed"
    assert workshop.notes()[1:] == [f"{changed}: FROM base", f"{changed}: step 2"]


def test_no_cache_runs_everything_and_says_so(built: Workshop) -> None:
    built.build(DOCKERFILE, no_cache=True)
    assert built.notes() == ["--no-cache"] * 3


def test_a_step_that_makes_the_same_again_lets_those_after_it_hit(workshop: Workshop) -> None:
    """Keys are content: another RUN with the same result is the same parent (D7.2)."""
    text = "FROM scratch AS one\nCOPY a.txt /{name}\nFROM busybox\nCOPY --from=one /* /x/\nRUN true"
    workshop.write(FILES)
    workshop.build(text.format(name="f"))
    workshop.build("FROM busybox AS more\n" + text.format(name="f"))
    assert len(workshop.steps("cached")) == 3


def test_a_linked_copy_is_taken_as_it_is_when_what_is_below_it_changes(
    workshop: Workshop, engine: Engine
) -> None:
    workshop.write(FILES)
    text = "FROM busybox\nRUN echo {below} > /below\nCOPY --link a.txt /x/\nRUN cat /x/a.txt /below"

    def built(below: str) -> object:
        image = workshop.build(text.format(below=below))
        document: Any = engine.images.document(image.id)
        return document["rootfs"]["diff_ids"][-1]

    first = built("one")
    assert built("two") == first
    assert workshop.cached() == ["COPY"]
    assert workshop.output() == ["atwo"]
    workshop.write({"a.txt": "z"})
    assert built("three") != first
    assert workshop.cached() == []
    layer = engine.images.get(workshop.build(text.format(below="three")).id).lowers[0]
    (Path(layer) / "x/a.txt").write_text("damaged")
    built("four")
    assert workshop.cached() == []
    assert workshop.output() == ["zfour"]


def test_steps_stay_when_the_image_goes(built: Workshop, engine: Engine) -> None:
    image = built.build(DOCKERFILE, tags=("gone",))
    engine.images.remove(image.id, force=True)
    built.build(DOCKERFILE)
    assert len(built.steps("cached")) == 3


def test_one_step_wanted_by_two_builds_at_once_is_done_once(
    workshop: Workshop, engine: Engine
) -> None:
    text = "FROM busybox\nRUN echo once; sleep 0.3; touch /x\nLABEL number={number}"
    events: list[BuildEvent] = []

    async def both() -> None:
        specs = [
            BuildSpec(context=str(workshop.context), dockerfile_inline=text.format(number=number))
            for number in range(2)
        ]
        await asyncio.gather(*(build_image(engine, spec, events.append) for spec in specs))
        engine.containers.close()

    asyncio.run(both())
    assert [event.text for event in events if event.kind == "output"] == ["once"]


def test_files_that_have_not_changed_are_not_read_again(workshop: Workshop) -> None:
    size, count = 100_000, 50
    workshop.write({f"files/{number}": "x" * size for number in range(count)})
    time.sleep(0.05)  # files younger than a tick of the clock are not remembered
    text = "FROM scratch\nCOPY files /x/\n"
    workshop.build(text)
    before = read_bytes()
    workshop.build(text)
    assert len(workshop.steps("cached")) == 1
    assert read_bytes() - before < size * count / 10


def read_bytes() -> int:
    """What this process has read in its life (proc(5), /proc/pid/io)."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])
