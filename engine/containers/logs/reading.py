"""The log of a container as it is asked for: its end, a span of time, or all that comes."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from engine.containers.logs.reader import open_reader
from engine.containers.logs.stamps import stamp_of
from engine.containers.watching import Changes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncGenerator, Iterator

    from engine.containers.containers import Containers
    from engine.containers.logs.line import LogLine
    from engine.containers.logs.reader import LogReader
    from engine.containers.observed import Container
    from engine.state.paths import Roots


def read_log(
    roots: Roots,
    row: sqlite3.Row,
    tail: int | None,
    since_s: float | None,
    until_s: float | None,
) -> Iterator[LogLine]:
    """The log of a recorded container, oldest entry first."""
    with contextlib.closing(_reader(roots, row)) as reader:
        if tail is not None and since_s is None and until_s is None:
            reader.skip_to_last(tail)
        yield from select(reader.read(), tail, _stamp(since_s), _stamp(until_s))


async def watch_log(
    containers: Containers, row: sqlite3.Row, tail: int | None = None
) -> AsyncGenerator[tuple[Container | None, Iterator[LogLine]], None]:
    """See Containers.watch_log."""
    roots, container_id = containers.roots, row["id"]
    with contextlib.closing(_reader(roots, row)) as reader:
        os.makedirs(reader.directory, mode=0o710, exist_ok=True)
        if tail is not None:
            reader.skip_to_last(tail)
        with Changes(roots, container_id, log_directory=reader.directory) as changes:
            while True:
                container = containers.find(container_id)
                yield container, reader.read()
                if container is None or container.status in ("exited", "dead"):
                    return
                await changes.wait()


def _reader(roots: Roots, row: sqlite3.Row) -> LogReader:
    driver = json.loads(row["spec"])["log"].get("driver", "cri")
    return open_reader(roots.container(row["id"]), row["id"], driver)


def select(
    lines: Iterator[LogLine], tail: int | None, since: str | None = None, until: str | None = None
) -> Iterator[LogLine]:
    """The last `tail` lines of those between two stamps.

    Clocks go back: `until` passes over later lines, it does not end the reading.
    """
    chosen = (
        line
        for line in lines
        if (since is None or line.stamp >= since) and (until is None or line.stamp <= until)
    )
    if tail is None:
        return chosen
    from collections import deque

    return iter(deque(chosen, maxlen=tail))


def _stamp(at_s: float | None) -> str | None:
    """As it stands in the log, to compare as text."""
    return None if at_s is None else stamp_of(at_s)
