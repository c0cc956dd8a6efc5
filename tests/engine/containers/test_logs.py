"""The log: what is written, how it is rotated, who reads it meanwhile."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from typing import TYPE_CHECKING

import pytest

from engine import LogSpec
from engine.containers.logfile import LINE_LIMIT, LOG_NAME, LogFile
from engine.containers.logs import LogLine, LogReader, parse_line
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.containers.dock import Dock

CRI = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) [FP] .*")
MANY = 1 << 30


@contextlib.contextmanager
def log_in(directory: Path, *, size: int = MANY, files: int = 3) -> Iterator[LogFile]:
    log = LogFile(str(directory), size, files)
    try:
        yield log
    finally:
        log.close()


def read(directory: Path) -> list[LogLine]:
    with contextlib.closing(LogReader(str(directory))) as reader:
        return list(reader.read())


def texts(directory: Path) -> list[bytes]:
    return [line.text for line in read(directory)]


def test_each_line_is_a_cri_entry(tmp_path: Path) -> None:
    with log_in(tmp_path) as log:
        log.write("stdout", b"one\ntwo\n\n")
        log.write("stderr", b"three\n")
    lines = (tmp_path / LOG_NAME).read_bytes().splitlines()
    assert all(CRI.fullmatch(line) for line in lines)
    found = [(line.stream, line.text, line.partial) for line in read(tmp_path)]
    assert found == [
        ("stdout", b"one", False),
        ("stdout", b"two", False),
        ("stdout", b"", False),
        ("stderr", b"three", False),
    ]


def test_a_line_that_comes_in_pieces_is_one_entry(tmp_path: Path) -> None:
    with log_in(tmp_path) as log:
        for piece in (b"he", b"ll", b"o\nwor", b"ld\n"):
            log.write("stdout", piece)
        assert texts(tmp_path) == [b"hello", b"world"]


def test_an_unfinished_last_line_is_partial(tmp_path: Path) -> None:
    with log_in(tmp_path) as log:
        log.write("stdout", b"whole\nhalf")
        assert texts(tmp_path) == [b"whole"]
    assert read(tmp_path)[-1].text == b"half"
    assert read(tmp_path)[-1].partial


@pytest.mark.parametrize("length", [LINE_LIMIT, LINE_LIMIT + 1, 3 * LINE_LIMIT + 5])
@pytest.mark.parametrize("chunk", [1000, 65536])
def test_long_lines_are_cut_and_lose_nothing(tmp_path: Path, length: int, chunk: int) -> None:
    line = (b"0123456789abcdef" * (length // 16 + 1))[:length]
    with log_in(tmp_path) as log:
        data = line + b"\nnext\n"
        for start in range(0, len(data), chunk):
            log.write("stdout", data[start : start + chunk])
    entries = read(tmp_path)
    assert b"".join(entry.text for entry in entries[:-1]) == line
    assert [entry.partial for entry in entries] == [True] * (len(entries) - 2) + [False, False]
    assert all(len(entry.text) <= LINE_LIMIT for entry in entries)


def test_any_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    line = bytes(range(256)).replace(b"\n", b"")
    with log_in(tmp_path) as log:
        log.write("stderr", line + b"\n")
    assert texts(tmp_path) == [line]


def test_what_is_no_entry_is_passed_over(tmp_path: Path) -> None:
    assert parse_line(b"") is None
    assert parse_line(b"2026-01-01T00:00:00.000000000Z stdin F x") is None
    (tmp_path / LOG_NAME).write_bytes(b"\0\0\0garbage\n2026-01-01T00:00:00.0Z stdout F ok\n")
    assert texts(tmp_path) == [b"ok"]


def test_a_full_log_is_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    with log_in(tmp_path, size=500, files=3) as log:
        for number in range(100):
            log.write("stdout", b"line %d\n" % number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [LOG_NAME, f"{LOG_NAME}.1", f"{LOG_NAME}.2"]
    assert all(path.stat().st_size < 600 for path in tmp_path.iterdir())
    found = texts(tmp_path)
    assert found == [b"line %d" % number for number in range(100 - len(found), 100)]
    assert len(found) >= 20


def test_a_single_file_starts_anew(tmp_path: Path) -> None:
    with log_in(tmp_path, size=500, files=1) as log:
        for number in range(30):
            log.write("stdout", b"line %d\n" % number)
    assert [path.name for path in tmp_path.iterdir()] == [LOG_NAME]
    assert texts(tmp_path)[-1] == b"line 29"


def test_a_reader_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with log_in(tmp_path) as log, contextlib.closing(LogReader(str(tmp_path))) as reader:
        log.write("stdout", b"a\n")
        assert [line.text for line in reader.read()] == [b"a"]
        assert list(reader.read()) == []
        log.write("stdout", b"b\n")
        assert [line.text for line in reader.read()] == [b"b"]


def test_a_reader_follows_rotations(tmp_path: Path) -> None:
    with (
        log_in(tmp_path, size=200, files=4) as log,
        contextlib.closing(LogReader(str(tmp_path))) as reader,
    ):
        found: list[bytes] = []
        for number in range(60):
            log.write("stdout", b"%d\n" % number)
            if number % 7 == 0:  # more than one rotation between two looks
                found += [line.text for line in reader.read()]
        found += [line.text for line in reader.read()]
    assert found == [b"%d" % number for number in range(60)]


def test_what_is_written_between_reading_and_rotating_is_not_lost(tmp_path: Path) -> None:
    with (
        log_in(tmp_path, size=100, files=3) as log,
        contextlib.closing(LogReader(str(tmp_path))) as reader,
    ):
        log.write("stdout", b"first\n")
        reading = reader.read()
        assert next(reading).text == b"first"
        for text in (b"second" * 20, b"third"):  # the reader is at the end of what it has seen
            log.write("stdout", text + b"\n")
        assert [line.text for line in reading] == [b"second" * 20, b"third"]


def test_a_reader_beside_a_busy_writer_misses_and_repeats_nothing(tmp_path: Path) -> None:
    count = 20_000
    done = threading.Event()

    def write() -> None:
        with log_in(tmp_path, size=20_000, files=40) as log:
            for number in range(count):
                log.write("stdout", b"%d\n" % number)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    found: list[int] = []
    while not (tmp_path / LOG_NAME).exists():
        time.sleep(0.001)
    with contextlib.closing(LogReader(str(tmp_path))) as reader:
        while not done.is_set():
            found += [int(line.text) for line in reader.read()]
        found += [int(line.text) for line in reader.read()]
    writer.join()
    assert found == list(range(found[0], count))


# --- of containers


@needs_root
def test_both_streams_are_logged_in_order(dock: Dock) -> None:
    script = "echo out; sleep 0.05; echo err >&2; sleep 0.05; printf rest"
    ended = dock.sh(script)
    entries = list(dock.engine.containers.logs(ended.container.id))
    assert [(e.stream, e.text, e.partial) for e in entries] == [
        ("stdout", b"out", False),
        ("stderr", b"err", False),
        ("stdout", b"rest", True),
    ]
    assert [e.stamp for e in entries] == sorted(e.stamp for e in entries)


@needs_root
def test_megabytes_are_logged_whole(dock: Dock) -> None:
    ended = dock.sh("seq 1 300000")
    assert ended.lines == [str(number) for number in range(1, 300_001)]


@needs_root
def test_the_tail_and_the_time_select_entries(dock: Dock) -> None:
    container = dock.sh("echo a; echo b; sleep 0.3; echo c; sleep 0.3; echo d").container
    logs = dock.engine.containers.logs
    started = container.started_at or 0

    def shown(**chosen: float) -> list[bytes]:
        return [line.text for line in logs(container.id, **chosen)]  # type: ignore[arg-type]

    assert shown(tail=2) == [b"c", b"d"]
    assert shown(tail=0) == []
    assert shown(since_s=started + 0.15) == [b"c", b"d"]
    assert shown(until_s=started + 0.15) == [b"a", b"b"]
    assert shown(since_s=started + 0.15, until_s=started + 0.45) == [b"c"]
    assert shown(since_s=started + 0.15, tail=1) == [b"d"]


@needs_root
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


@needs_root
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


@needs_root
def test_output_of_what_outlives_its_parent_is_logged(dock: Dock) -> None:
    ended = dock.sh("(sleep 0.2; echo late) & echo early; wait")
    assert ended.lines == ["early", "late"]
