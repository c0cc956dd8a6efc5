"""The build cache made smaller: what goes first, what stays, and what is free again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import cache_entries, prune_cache
from tests.marks import needs_root

if TYPE_CHECKING:
    from engine import Engine
    from tests.engine.build.conftest import Workshop
    from tests.engine.build.servers import Repository, Server

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

KIB = 1024
TWO = "FROM busybox\nCOPY one /\nCOPY two /\n"


@pytest.fixture
def built(workshop: Workshop) -> Workshop:
    """TWO: layers of one and of two KiB, and no image that has them."""
    workshop.write({"one": "1" * KIB, "two": "2" * 2 * KIB})
    image = workshop.build(TWO)
    workshop.engine.images.remove(image.id)
    return workshop


def age(workshop: Workshop, instruction: str, seconds: float) -> None:
    workshop.engine.db.execute(
        "UPDATE build_cache SET used_at = used_at - ?"
        " WHERE json_extract(record, '$.instruction') = ?",
        (seconds, instruction),
    )


def layers_here(engine: Engine) -> int:
    names = [path.name for path in Path(engine.roots.layers).iterdir()]
    return sum(not name.startswith(".") for name in names)


def test_the_cache_says_what_it_holds(built: Workshop, engine: Engine) -> None:
    found = [(e.description, e.size_bytes, e.shared) for e in cache_entries(engine)]
    assert sorted(found) == [("COPY one /", KIB, False), ("COPY two /", 2 * KIB, False)]


def test_all_goes_and_its_layers_with_it(built: Workshop, engine: Engine) -> None:
    before = layers_here(engine)
    pruned = prune_cache(engine)
    assert (len(pruned.entries), pruned.freed_bytes) == (2, 3 * KIB)
    assert layers_here(engine) == before - 2
    built.build(TWO)
    assert built.notes() == ["it is in the cache no more"] * 2


def test_a_limit_takes_the_longest_unused_first_and_no_more(
    built: Workshop, engine: Engine
) -> None:
    """Of steps used together, the last one: the first is needed for it."""
    pruned = prune_cache(engine, keep_bytes=2 * KIB)
    assert [entry.description for entry in pruned.entries] == ["COPY two /"]
    built.build("FROM scratch\nCOPY two /\n")
    age(built, "COPY one /", 1000)
    images = [built.engine.images.remove(image.id) for image in engine.images.list()[:1]]
    assert images
    pruned = prune_cache(engine, keep_bytes=2 * KIB)
    assert [entry.description for entry in pruned.entries] == ["COPY one /"]


def test_what_an_image_has_goes_only_when_asked_for(workshop: Workshop, engine: Engine) -> None:
    workshop.write({"one": "1", "two": "2"})
    image = workshop.build(TWO)
    assert prune_cache(engine).entries == ()
    pruned = prune_cache(engine, shared=True)
    assert (len(pruned.entries), pruned.freed_bytes) == (2, 0)
    assert all(Path(lower).is_dir() for lower in image.lowers)


def test_only_what_was_not_used_for_long_goes_where_that_is_asked(
    built: Workshop, engine: Engine
) -> None:
    age(built, "COPY two /", 1000)
    pruned = prune_cache(engine, unused_since=time.time() - 500)
    assert [entry.description for entry in pruned.entries] == ["COPY two /"]


def test_a_build_keeps_the_cache_below_its_limit_and_says_so(built: Workshop) -> None:
    age(built, "COPY one /", 1000)
    age(built, "COPY two /", 1000)
    built.write({"three": "3" * KIB})
    built.build("FROM busybox\nCOPY three /\n", cache_limit_bytes=0)
    texts = [event.text for event in built.events if "prune" in event.step]
    assert texts[1].startswith("2 removed, 0.0MB, longest unused first")
    built.build("FROM busybox\nCOPY three /\n", cache_limit_bytes=0)
    assert len(built.steps("cached")) == 1


def test_the_directory_of_a_cache_mount_goes_too(workshop: Workshop, engine: Engine) -> None:
    workshop.build("FROM busybox\nRUN --mount=type=cache,target=/c echo kept > /c/f")
    kinds = {entry.kind: entry for entry in cache_entries(engine)}
    assert kinds["exec.cachemount"].size_bytes == 5
    with engine.images.hold():  # somebody builds
        prune_cache(engine)
        assert Path(kinds["exec.cachemount"].id).is_dir()
    prune_cache(engine)
    assert not Path(kinds["exec.cachemount"].id).exists()


def test_what_is_beside_layers_is_as_new_as_its_last_use(
    workshop: Workshop, engine: Engine, server: Server, repository: Repository
) -> None:
    sources = f"ADD {server.url}/file.txt /x\nADD {repository.url('outer.git')} /y\n"
    text = f"FROM busybox\n{sources}RUN --mount=type=cache,target=/c true"
    for _ in range(2):
        workshop.build(text, no_cache=True)
        beside = [entry for entry in cache_entries(engine) if entry.kind != "regular"]
        assert len(beside) == 3
        assert min(entry.used_at for entry in beside) > 0
        for entry in beside:
            os.utime(entry.id, (0, 0))


PROGRAM = """
import asyncio, sys
from engine import BuildSpec, Engine, Roots, build_image
text = "FROM busybox\\nRUN echo once; sleep 0.5; touch /x\\nLABEL number=" + sys.argv[3]
async def build():
    engine = Engine(Roots(*sys.argv[1:3]))
    spec = BuildSpec(context=sys.argv[4], dockerfile_inline=text)
    await build_image(engine, spec, print)
    engine.close()
asyncio.run(build())
"""


def test_one_step_wanted_by_two_commands_at_once_is_done_once(
    engine: Engine, tmp_path: Path
) -> None:
    roots = engine.roots
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, roots.root, roots.run_root, number, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in "12"
    ]
    said = [command.communicate()[0] for command in commands]
    assert [command.returncode for command in commands] == [0, 0]
    assert sum(text.count(" once\n") for text in said) == 1
    assert sum(text.count("CACHED") for text in said) == 1


def test_what_is_known_of_files_goes_with_all(built: Workshop, engine: Engine) -> None:
    known = Path(f"{engine.roots.cache}/context-files")
    time.sleep(0.05)  # files younger than a tick of the clock are not remembered
    built.build(TWO)
    assert list(known.iterdir())
    prune_cache(engine)
    assert list(known.iterdir())
    prune_cache(engine, shared=True)
    assert not list(known.iterdir())
