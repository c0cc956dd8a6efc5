"""Following the logs of containers, and of those that are started later (`logs -f`, `up`)."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import deque
from typing import TYPE_CHECKING

from compose.reconcile import names
from compose.reconcile.conditions import ENDED
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator

    from compose.ui.logs import LogPrinter
    from engine import Container, Engine, LogLine

    Changes = AsyncGenerator[tuple[Container | None, Iterator[LogLine]], None]

FOR_EVER = "9999"  # sorts after every stamp


class Following:
    """Prints what containers write, from what is there on, until none of them runs any more.

    project     its name, which is left out of those of the containers
    since       a stamp: what was written before is left out
    until       likewise what was written after it
    tail        of what is there at first, this many lines of each container
    on_restart  is told name and exit code of a container that its policy has restarted
    on_end      is told name and container when one has ended for good
    """

    def __init__(
        self,
        engine: Engine,
        printer: LogPrinter,
        project: str,
        *,
        since: str = "",
        until: str = FOR_EVER,
        tail: int | None = None,
        on_restart: Callable[[str, int], object] = lambda name, exit_code: None,
        on_end: Callable[[str, Container], object] = lambda name, container: None,
    ) -> None:
        self._engine, self._printer, self._project = engine, printer, project
        self._since, self._until, self._tail = since, until, tail
        self._on_restart, self._on_end = on_restart, on_end
        self._starts = engine.containers.starts()
        self._followed: set[str] = set()  # ids of containers
        self._known: dict[str, float | None] = {}  # id -> when what was followed last had started
        self._shown: dict[str, str] = {}  # id -> stamp of the last line
        self._begun = False

    async def run(
        self, choose: Callable[[], Iterable[Container]], busy: Callable[[], bool] = lambda: False
    ) -> None:
        """Follow what `choose` finds, now and whenever something has been started.

        Goes on while one of them runs, is restarted or about to be replaced, or while `busy`.
        """
        with self._starts:
            async with asyncio.TaskGroup() as group:
                while True:
                    containers = list(choose())
                    await self._adopt(group, containers)
                    if not (self._followed or busy() or any(map(self._is_awaited, containers))):
                        return
                    await self._starts.wait()

    def look(self) -> None:
        """Have `choose` and `busy` asked again."""
        self._starts.tell()

    def _is_awaited(self, container: Container) -> bool:
        """Whether it is about to go on, or to take the place of one that was followed."""
        if container.id in self._known:
            return self._engine.containers.is_restarting(container.id)
        replaced = container.labels.get(names.REPLACE)
        return container.status == "created" and replaced in self._known

    def _is_new(self, container: Container) -> bool:
        if container.status == "created" or container.id in self._followed:
            return False
        return container.id not in self._known or self._known[container.id] != container.started_at

    async def _adopt(self, group: asyncio.TaskGroup, containers: Iterable[Container]) -> None:
        """Follow those that are new. What they have written so far is merged by time."""
        new = [self._log_of(one) for one in containers if self._is_new(one)]
        written = [await log.begin(self._tail) for log in new]
        self._print(heapq.merge(*written, key=lambda entry: entry[1].stamp))
        for log in new:
            self._followed.add(log.container.id)
            self._known[log.container.id] = log.container.started_at
            group.create_task(self._follow(log))
        self._tail, self._begun = None, True

    def _log_of(self, container: Container) -> _Log:
        return _Log(
            container,
            names.short_name(container.name, self._project),
            self._engine.containers.watch_log(
                container.id, tail=None if self._since else self._tail
            ),
            since=self._since,
            until=self._until,
            after=self._shown.get(container.id, ""),
            # one that was started meanwhile may have been restarted before it was looked at
            restarts=0 if self._begun else container.restart_count,
        )

    async def _follow(self, log: _Log) -> None:
        try:
            async for lines in log:
                self._print((log, line) for line in lines)
                for _ in range(log.container.restart_count - log.restarts):
                    self._on_restart(log.name, log.container.previous_exit_code or 0)
                log.restarts = log.container.restart_count
            if log.container.status in ENDED:
                self._on_end(log.name, log.container)
        finally:
            self._followed.remove(log.container.id)
            self._known[log.container.id] = log.container.started_at
            self.look()

    def _print(self, entries: Iterable[tuple[_Log, LogLine]]) -> None:
        self._printer.lines(self._noted(entries))

    def _noted(self, entries: Iterable[tuple[_Log, LogLine]]) -> Iterator[tuple[str, LogLine]]:
        for log, line in entries:
            self._shown[log.container.id] = line.stamp
            yield log.name, line


class _Log:
    """One container and its log.

    since, until  stamps: lines from before the one, or from after the other, are left out
    after         likewise those that are not from after it
    restarts      how many of the container's have been told of
    """

    def __init__(
        self,
        container: Container,
        name: str,
        changes: Changes,
        *,
        since: str,
        until: str,
        after: str,
        restarts: int,
    ) -> None:
        self.container, self.name, self.restarts = container, name, restarts
        self._changes, self._since, self._until, self._after = changes, since, until, after

    async def begin(self, tail: int | None) -> Iterable[tuple[_Log, LogLine]]:
        """What is there; with `tail` the last so many lines."""
        try:
            container, lines = await anext(self._changes)
        except ContainerProblem:  # it was removed just now
            return ()
        self.container = container or self.container
        chosen = self._chosen(lines)
        return ((self, line) for line in (chosen if tail is None else deque(chosen, maxlen=tail)))

    async def __aiter__(self) -> AsyncIterator[Iterable[LogLine]]:
        """What comes to it, with `container` as it is by then; at once, to begin with."""
        yield ()
        async with contextlib.aclosing(self._changes) as changes:
            async for container, lines in changes:
                self.container = container or self.container
                yield self._chosen(lines)

    def _chosen(self, lines: Iterable[LogLine]) -> Iterator[LogLine]:
        since, until, after = self._since, self._until, self._after
        return (line for line in lines if since <= line.stamp <= until and line.stamp > after)
