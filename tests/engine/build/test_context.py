"""Where a Dockerfile and its ignore file are found (engine.md D6.15), and killed builds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine import BuildSpec
from engine.build.context import open_context, read_dockerfile
from engine.build.ignore import Ignore
from engine.errors import BuildProblem
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Engine
    from tests.engine.build.conftest import Workshop


def test_the_dockerfile_is_relative_to_the_context(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/My.Dockerfile").write_text("FROM scratch")
    spec = BuildSpec(context=str(tmp_path), dockerfile="sub/My.Dockerfile")
    text, name, path = read_dockerfile(spec)
    assert (text, name) == ("FROM scratch", "sub/My.Dockerfile")
    assert path == str(tmp_path / "sub/My.Dockerfile")


def test_a_dockerfile_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "dockerfile.prod").write_text("")
    with pytest.raises(BuildProblem) as caught:
        read_dockerfile(BuildSpec(context=str(tmp_path)))
    assert caught.value.code == "no-dockerfile"
    assert caught.value.hint == "in that directory: dockerfile.prod"


def test_a_context_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(BuildProblem) as caught:
        open_context(str(tmp_path / "gone"), "", str(tmp_path))
    assert caught.value.code == "no-build-context"


def test_the_ignore_file_of_the_dockerfile_wins(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("a")
    (tmp_path / "D.dockerignore").write_text("b")
    own = open_context(str(tmp_path), str(tmp_path / "D"), str(tmp_path))
    assert own.ignore_name == "D.dockerignore"
    assert own.ignore.excludes("b")
    assert not own.ignore.excludes("a")
    assert open_context(str(tmp_path), str(tmp_path / "E"), str(tmp_path)).ignore.excludes("a")


def test_builds_of_one_context_can_be_measured_side_by_side(tmp_path: Path) -> None:
    context, cache = tmp_path / "app", tmp_path / "cache"
    context.mkdir()
    for name in ("a", "b"):
        (context / name).write_text(name)
        os.utime(context / name, (1, 1))
    time.sleep(0.03)  # files that are too new are not remembered
    ready = threading.Barrier(8)

    def measure() -> dict[str, str]:
        opened = open_context(str(context), "", str(cache))
        ready.wait()
        return opened.measure(["."], Ignore(()))

    with ThreadPoolExecutor(8) as pool:
        first, *others = [future.result() for future in [pool.submit(measure) for _ in range(8)]]
    assert all(other == first for other in others)
    assert len(list(cache.iterdir())) == 1


def test_a_wrong_pattern_is_a_problem_of_its_line(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("a\n[\n")
    with pytest.raises(BuildProblem) as caught:
        open_context(str(tmp_path), "", str(tmp_path))
    assert (caught.value.code, caught.value.where) == ("invalid-pattern", ".dockerignore:2:1")


def test_an_ignore_file_may_name_any_file(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_bytes(b"\xff\r\n!keep\r\n")
    ignore = open_context(str(tmp_path), "", str(tmp_path)).ignore
    assert ignore.excludes(os.fsdecode(b"\xff"))


def test_an_ignore_file_that_is_none_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").mkdir()
    with pytest.raises(BuildProblem, match="Is a directory") as caught:
        open_context(str(tmp_path), "", str(tmp_path))
    assert caught.value.code == "invalid-ignore-file"


def test_what_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    context = open_context("/proc/self", "", str(tmp_path))
    with pytest.raises(BuildProblem, match="Input/output error") as caught:
        context.measure(["mem"], Ignore(()))
    assert caught.value.code == "context-unreadable"


BUILD = """
import asyncio, sys
from engine import BuildSpec, Engine, Roots, build_image
engine = Engine(Roots(sys.argv[1], sys.argv[2]))
run = "trap 'touch /c/asked' TERM; echo here; while :; do sleep 1; done"
text = f"FROM busybox\\nRUN --mount=type=cache,target=/c {run}"
spec = BuildSpec(context=sys.argv[3], dockerfile_inline=text)
asyncio.run(build_image(engine, spec, lambda event: print(event, flush=True)))
"""


@needs_root
@pytest.mark.usefixtures("busybox")
def test_what_a_killed_build_left_running_goes_with_the_next(
    workshop: Workshop, engine: Engine
) -> None:
    roots = engine.roots
    argv = [sys.executable, "-c", BUILD, roots.root, roots.run_root, str(workshop.context)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        while not command.stdout.readline().endswith(" here\n"):
            pass
        os.kill(command.pid, signal.SIGKILL)
    (left,) = engine.containers.list()
    assert left.status == "running"
    workshop.build("FROM busybox\nRUN --mount=type=cache,target=/c ls /c")
    assert engine.containers.list() == []
    assert workshop.output() == []  # nor was it asked to end, and waited for
