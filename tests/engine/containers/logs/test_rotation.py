"""Rotation by size, compression, and readers that are there meanwhile."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from tests.engine.containers.logs.writing import DRIVERS, log_in, path_in, reader_of, texts
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parametrize("driver", DRIVERS)


def files_of(directory: Path, driver: str) -> list[str]:
    """Names without the part that all have."""
    path = path_in(directory, driver)
    return sorted(file.name.removeprefix(path.name) for file in path.parent.iterdir())


def settled(directory: Path, driver: str) -> list[str]:
    """The same, once nothing is being compressed."""
    assert eventually(lambda: ".1.gz" in files_of(directory, driver))
    return [name for name in files_of(directory, driver) if name != ".1"]


def test_a_full_log_is_rotated_and_the_oldest_goes(tmp_path: Path, driver: str) -> None:
    with log_in(tmp_path, driver, size=500, files=3) as log:
        log.write("stdout", b"".join(b"line %d\n" % number for number in range(50)))
        for number in range(50, 100):
            log.write("stdout", b"line %d\n" % number)
    assert files_of(tmp_path, driver) == ["", ".1", ".2"]
    sizes = [file.stat().st_size for file in path_in(tmp_path, driver).parent.iterdir()]
    assert all(size < 500 + 100 for size in sizes)
    assert sum(size >= 500 for size in sizes) >= 2
    found = texts(tmp_path, driver)
    assert found == [b"line %d" % number for number in range(100 - len(found), 100)]
    assert len(found) >= 15


def test_a_single_file_starts_anew(tmp_path: Path, driver: str) -> None:
    with log_in(tmp_path, driver, size=500, files=1) as log:
        for number in range(30):
            log.write("stdout", b"line %d\n" % number)
    assert files_of(tmp_path, driver) == [""]
    assert texts(tmp_path, driver)[-1] == b"line 29"


def test_a_log_without_end_is_one_file(tmp_path: Path, driver: str) -> None:
    with log_in(tmp_path, driver, size=0) as log:
        log.write("stdout", b"x" * 100 + b"\n")
    with log_in(tmp_path, driver, size=0) as log:
        log.write("stdout", b"again\n")
    assert files_of(tmp_path, driver) == [""]
    assert texts(tmp_path, driver) == [b"x" * 100, b"again"]


@pytest.mark.parametrize("files", [1, 3])
def test_a_file_that_somebody_removes_is_begun_anew(
    tmp_path: Path, driver: str, files: int
) -> None:
    with log_in(tmp_path, driver, size=500, files=files) as log:
        log.write("stdout", b"line of before\n")
        path_in(tmp_path, driver).unlink()
        for number in range(60):
            log.write("stdout", b"line %d\n" % number)
    assert texts(tmp_path, driver)[-1] == b"line 59"


def test_where_no_file_can_be_begun_lines_are_lost_and_no_more(tmp_path: Path, driver: str) -> None:
    with log_in(tmp_path, driver, size=500, files=3) as log:
        in_the_way = path_in(tmp_path, driver).with_name(f"{path_in(tmp_path, driver).name}.new")
        in_the_way.mkdir()
        for number in range(60):
            log.write("stdout", b"line %d\n" % number)
        in_the_way.rmdir()
        log.write("stdout", b"line of after\n")
    assert files_of(tmp_path, driver) == ["", ".1"]
    assert texts(tmp_path, driver)[-1] == b"line of after"


def test_full_files_are_compressed(tmp_path: Path, driver: str) -> None:
    lines = [b"line %d" % number for number in range(60)]
    with log_in(tmp_path, driver, size=2000, files=9, compress=True) as log:
        for line in lines:
            log.write("stdout", line + b"\n")
    assert settled(tmp_path, driver)[:2] == ["", ".1.gz"]
    assert texts(tmp_path, driver) == lines


def test_compressed_files_are_told_apart_when_their_inodes_are_used_again(
    tmp_path: Path, driver: str
) -> None:
    """More files than are opened at once, and each was on the disk where an earlier one was."""
    lines = [b"line %d" % number for number in range(1500)]
    with log_in(tmp_path, driver, size=500, files=1000, compress=True) as log:
        for line in lines:
            log.write("stdout", line + b"\n")
    assert len(settled(tmp_path, driver)) > 70
    assert texts(tmp_path, driver) == lines


def test_a_reader_goes_on_where_it_stopped(tmp_path: Path, driver: str) -> None:
    with log_in(tmp_path, driver) as log, contextlib.closing(reader_of(tmp_path, driver)) as reader:
        log.write("stdout", b"a\n")
        assert [line.text for line in reader.read()] == [b"a"]
        assert list(reader.read()) == []
        log.write("stdout", b"b\n")
        assert [line.text for line in reader.read()] == [b"b"]


@pytest.mark.parametrize("compress", [False, True])
def test_a_reader_follows_rotations(tmp_path: Path, driver: str, compress: bool) -> None:
    with (
        log_in(tmp_path, driver, size=400, files=6, compress=compress) as log,
        contextlib.closing(reader_of(tmp_path, driver)) as reader,
    ):
        found: list[bytes] = []
        for number in range(60):
            log.write("stdout", b"%d\n" % number)
            if number % 7 == 0:  # more than one rotation between two looks
                found += [line.text for line in reader.read()]
        found += [line.text for line in reader.read()]
    assert found == [b"%d" % number for number in range(60)]


def test_what_is_written_between_reading_and_rotating_is_not_lost(
    tmp_path: Path, driver: str
) -> None:
    with (
        log_in(tmp_path, driver, size=100, files=3) as log,
        contextlib.closing(reader_of(tmp_path, driver)) as reader,
    ):
        log.write("stdout", b"first\n")
        reading = reader.read()
        assert next(reading).text == b"first"
        for text in (b"second" * 20, b"third"):  # the reader is at the end of what it has seen
            log.write("stdout", text + b"\n")
        assert [line.text for line in reading] == [b"second" * 20, b"third"]


def test_a_reader_in_the_midst_keeps_what_is_rotated_away(tmp_path: Path, driver: str) -> None:
    count = 30_000
    with (
        log_in(tmp_path, driver, size=1_000_000, files=2) as log,
        contextlib.closing(reader_of(tmp_path, driver)) as reader,
    ):
        found: list[int] = []
        for number in range(count):
            log.write("stdout", b"%050d\n" % number)
            if number == 1000:
                reading = reader.read_blocks()
            if number > 1000 and number % 5000 == 0:
                found += [int(line.text) for line in next(reading)]
        found += [int(line.text) for lines in reading for line in lines]
    assert found == list(range(count))


def test_a_reader_beside_a_busy_writer_misses_and_repeats_nothing(
    tmp_path: Path, driver: str
) -> None:
    count = 20_000
    done = threading.Event()

    def write() -> None:
        with log_in(tmp_path, driver, size=50_000, files=40) as log:
            for number in range(count):
                log.write("stdout", b"%d\n" % number)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    found: list[int] = []
    with contextlib.closing(reader_of(tmp_path, driver)) as reader:
        while not done.is_set():
            found += [int(line.text) for line in reader.read()]
        found += [int(line.text) for line in reader.read()]
    writer.join()
    assert found == list(range(count))


def test_a_full_disk_costs_whole_entries(tmp_path: Path, driver: str) -> None:
    """A limit on the size of a file stands for the end of the disk: writes are cut short."""
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with log_in(tmp_path, driver) as log:
        log.write("stdout", b"kept\n")
        size = path_in(tmp_path, driver).stat().st_size
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, before[1]))
            log.write("stdout", b"lost" * 20 + b"\n")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        log.write("stdout", b"kept, too\n")
    assert texts(tmp_path, driver) == [b"kept", b"kept, too"]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("count", [0, 1, 7, 30, 59, 60, 61, 1000])
def test_the_last_entries_are_found_from_the_end(
    tmp_path: Path, driver: str, count: int, compress: bool
) -> None:
    lines = [b"line %d" % number for number in range(60)]
    with log_in(tmp_path, driver, size=1500, files=9, compress=compress) as log:
        for line in lines:
            log.write("stdout", line + b"\n")
    with contextlib.closing(reader_of(tmp_path, driver)) as reader:
        reader.skip_to_last(count)
        found = [line.text for line in reader.read()]
    if compress and count:  # of a compressed file, all comes that is in it
        found = found[-count:]
    assert found == (lines[-count:] if count else [])


def test_the_last_entries_are_found_over_blocks(tmp_path: Path, driver: str) -> None:
    with log_in(tmp_path, driver) as log:
        log.write("stdout", b"".join(b"%0100d\n" % number for number in range(5000)))
    for count in (1, 700, 4999):
        with contextlib.closing(reader_of(tmp_path, driver)) as reader:
            reader.skip_to_last(count)
            assert [int(line.text) for line in reader.read()] == list(range(5000 - count, 5000))
