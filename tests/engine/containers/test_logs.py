"""The log of a container that runs: what is in it, and who follows it."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, LogSpec
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from typing import Literal

    from engine import Container
    from tests.engine.containers.dock import Dock

pytestmark = needs_root


GATE = "until rm /go 2>/dev/null; do sleep 0.01; done"


def go_on(dock: Dock, container: Container) -> None:
    """Let it through the next GATE."""
    dock.exec(container, "touch", "/go")


def test_both_streams_are_logged_in_order(dock: Dock) -> None:
    container = dock.start("sh", "-c", f"echo out; {GATE}; echo err >&2; {GATE}; printf rest")
    for line in ("out", "err"):
        dock.wait_for_line(container, line)
        go_on(dock, container)
    ended = dock.end_of(container)
    entries = list(dock.engine.containers.logs(ended.container.id))
    assert [(e.stream, e.text, e.partial) for e in entries] == [
        ("stdout", b"out", False),
        ("stderr", b"err", False),
        ("stdout", b"rest", True),
    ]
    assert [e.stamp for e in entries] == sorted(e.stamp for e in entries)


def test_megabytes_are_logged_whole(dock: Dock) -> None:
    ended = dock.sh("seq 1 300000")
    assert ended.lines == [str(number) for number in range(1, 300_001)]


def test_the_tail_and_the_time_select_entries(dock: Dock) -> None:
    container = dock.start("sh", "-c", f"echo a; echo b; {GATE}; echo c; {GATE}; echo d")
    dock.wait_for_line(container, "b")
    after_b = time.time()
    go_on(dock, container)
    dock.wait_for_line(container, "c")
    after_c = time.time()
    go_on(dock, container)
    dock.end_of(container)
    logs = dock.engine.containers.logs

    def shown(**chosen: float) -> list[bytes]:
        return [line.text for line in logs(container.id, **chosen)]  # type: ignore[arg-type]

    assert shown(tail=2) == [b"c", b"d"]
    assert shown(tail=0) == []
    assert shown(since_s=after_b) == [b"c", b"d"]
    assert shown(until_s=after_b) == [b"a", b"b"]
    assert shown(since_s=after_b, until_s=after_c) == [b"c"]
    assert shown(since_s=after_b, tail=1) == [b"d"]


def test_following_over_rotations_and_restarts_loses_nothing(dock: Dock) -> None:
    container = dock.create(
        *("sh", "-c", "for i in $(seq 1 2000); do echo $i; done"),
        log=LogSpec(max_size_bytes=10_000, max_files=20),
    )
    containers = dock.engine.containers

    async def follow() -> list[bytes]:
        await containers.start(container.id)
        return [line.text async for line in containers.follow(container.id)]

    assert dock.run(follow()) == [b"%d" % number for number in range(1, 2001)]


def test_following_starts_before_the_container_and_ends_with_it(dock: Dock) -> None:
    import asyncio

    container = dock.create("echo", "hello")
    containers = dock.engine.containers

    async def follow() -> list[bytes]:
        async def lines() -> list[bytes]:
            return [line.text async for line in containers.follow(container.id)]

        following = asyncio.create_task(lines())
        await asyncio.sleep(0.1)
        await containers.start(container.id)
        return await following

    assert dock.run(follow()) == [b"hello"]


def test_output_of_what_outlives_its_parent_is_logged(dock: Dock) -> None:
    ended = dock.sh(f"({GATE}; echo late) & echo early; touch /go; wait")
    assert ended.lines == ["early", "late"]


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_each_driver_is_read_over_rotations_and_restarts(
    dock: Dock, driver: Literal["json-file", "local"]
) -> None:
    container = dock.create(
        *("sh", "-c", "for i in $(seq 1 2000); do echo $i; done; printf end"),
        log=LogSpec(driver=driver, max_size_bytes=20_000, max_files=20, compress=True),
    )
    containers = dock.engine.containers

    async def follow() -> list[bytes]:
        await containers.start(container.id)
        return [line.text async for line in containers.follow(container.id)]

    once = [b"%d" % number for number in range(1, 2001)] + [b"end"]
    assert dock.run(follow()) == once
    dock.end_of(dock.start_again(container))
    assert [line.text for line in containers.logs(container.id)] == once * 2


def test_json_file_is_where_docker_has_it_with_what_was_asked_for(dock: Dock) -> None:
    options = {"labels": "role,none", "env-regex": "^A", "tag": "{{.Name}}/{{.ID}}"}
    container = dock.create(
        *("echo", "hello"),
        labels={"role": "web", "other": "x"},
        environment={"A1": "1", "B": "2"},
        log=LogSpec(driver="json-file", attributes=options),
    )
    dock.end_of(dock.start_again(container))
    path = Path(dock.engine.roots.container(container.id), f"{container.id}-json.log")
    assert path.stat().st_mode & 0o777 == 0o640
    entry = json.loads(path.read_text())
    assert list(entry) == ["log", "stream", "attrs", "time"]
    tag = f"{container.name}/{container.id[:12]}"
    assert entry["attrs"] == {"role": "web", "A1": "1", "tag": tag}


def test_a_tag_that_cannot_be_made_is_a_problem(dock: Dock) -> None:
    log = LogSpec(driver="json-file", attributes={"tag": "{{.Nothing}}"})
    container = dock.create("true", log=log)
    with pytest.raises(ContainerProblem, match=r"\.Nothing"):
        dock.start_again(container)


def test_compressed_files_are_gzip(dock: Dock) -> None:
    log = LogSpec(driver="json-file", max_size_bytes=100_000, max_files=3, compress=True)
    container = dock.start("sh", "-c", "seq 1 5000; sleep 1000", log=log)
    dock.wait_for_line(container, "5000")
    path = Path(dock.engine.roots.container(container.id), f"{container.id}-json.log.1.gz")
    assert eventually(path.exists)
    first = gzip.decompress(path.read_bytes()).splitlines()[0]
    assert json.loads(first)["stream"] == "stdout"


def test_none_keeps_nothing(dock: Dock) -> None:
    ended = dock.sh("echo hello", log=LogSpec(driver="none"))
    assert (ended.code, ended.stdout) == (0, "")
    assert ended.container.log_driver == "none"
    left = {path.name for path in Path(dock.engine.roots.container(ended.container.id)).iterdir()}
    assert not [name for name in left if "log" in name]
