"""The log of a container as it is asked for: its end, a span of time, or all that comes."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from engine.containers.logs import LogReader
from engine.containers.watching import Changes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from engine.containers.containers import Containers
    from engine.containers.logs import LogLine
    from engine.containers.spec import Container


def read_log(
    directory: str, tail: int | None, since_s: float | None, until_s: float | None
) -> Iterator[LogLine]:
    """The log in a container's durable directory, oldest entry first."""
    with contextlib.closing(LogReader(directory)) as reader:
        yield from select(reader.read(), tail, _stamp(since_s), _stamp(until_s))


async def watch_log(
    containers: Containers, container_id: str
) -> AsyncGenerator[tuple[Container | None, Iterator[LogLine]], None]:
    """See Containers.watch_log."""
    directory = containers.roots.container(container_id)
    os.makedirs(directory, mode=0o710, exist_ok=True)
    with (
        Changes(containers.roots, container_id, logs=True) as changes,
        contextlib.closing(LogReader(directory)) as reader,
    ):
        while True:
            container = containers.find(container_id)
            yield container, reader.read()
            if container is None or container.status in ("exited", "dead"):
                return
            await changes.wait()


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
    if at_s is None:
        return None
    second, fraction = divmod(at_s, 1)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{text}.{int(fraction * 1e9):09d}Z"
