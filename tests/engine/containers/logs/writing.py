"""Logs in a directory of their own, by each driver."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from engine.containers.logs.drivers import log_path, open_log
from engine.containers.logs.reader import open_reader
from engine.containers.logs.writer import LogWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from engine.containers.logs.line import LogLine
    from engine.containers.logs.reader import LogReader

ID = "c" * 64
DRIVERS = ("cri", "json-file", "local")


@contextlib.contextmanager
def log_in(
    directory: Path,
    driver: str = "cri",
    *,
    size: int = 0,
    files: int = 3,
    compress: bool = False,
    attributes: Mapping[str, str] = {},
) -> Iterator[LogWriter]:
    """A log that is open for writing."""
    record = {
        "driver": driver,
        "path": str(path_in(directory, driver)),
        "max_size_bytes": size,
        "max_files": files,
        "compress": compress,
        "attributes": attributes,
    }
    path_in(directory, driver).parent.mkdir(exist_ok=True)
    log = open_log(record)
    assert isinstance(log, LogWriter)
    with contextlib.closing(log):
        yield log


def path_in(directory: Path, driver: str) -> Path:
    """The newest file."""
    return directory / log_path("", ID, driver)[1:]


def reader_of(directory: Path, driver: str = "cri") -> LogReader:
    return open_reader(str(directory), ID, driver)


def read(directory: Path, driver: str = "cri") -> list[LogLine]:
    """All that is there."""
    with contextlib.closing(reader_of(directory, driver)) as reader:
        return list(reader.read())


def texts(directory: Path, driver: str = "cri") -> list[bytes]:
    return [line.text for line in read(directory, driver)]
