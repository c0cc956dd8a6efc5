"""Waiting for a container to change: by notification, never by looking again after a while."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from engine.containers.statefile import lock_holder
from engine.kernel.inotify import (
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_MODIFY,
    IN_MOVED_TO,
    Watch,
)

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from engine.state.paths import Roots


class Notices:
    """A directory or several, watched as long as this is entered; `wait` tells of changes."""

    def __init__(self, directories: list[str], mask: int) -> None:
        self._watch = Watch(directories, mask)
        self._event = asyncio.Event()

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._watch.fileno(), self._changed)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._watch.fileno())
        self._watch.close()

    async def wait(self) -> None:
        """Until there has been a change, or `tell` was called, since the last `wait` returned."""
        await self._event.wait()
        self._event.clear()

    def tell(self) -> None:
        """Let `wait` return."""
        self._event.set()

    def _changed(self) -> None:
        self._watch.drain()
        self.tell()


class Changes(Notices):
    """Tells when a container's state, or something in its log's directory, may have
    changed.

    The end of its monitor counts too: one that was killed does not write a last state.
    """

    def __init__(self, roots: Roots, container_id: str, *, log_directory: str = "") -> None:
        self._run_directory = roots.container_run(container_id)
        os.makedirs(self._run_directory, mode=0o700, exist_ok=True)
        directories = [self._run_directory]
        if log_directory:
            directories.append(log_directory)
        super().__init__(directories, IN_MODIFY | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF)
        self._monitor_fd: int | None = None

    def __enter__(self) -> Self:
        self._watch_monitor()
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._forget_monitor()
        super().__exit__(kind, error, traceback)

    def _changed(self) -> None:
        super()._changed()
        if self._monitor_fd is None:
            self._watch_monitor()

    def _watch_monitor(self) -> None:
        pid = lock_holder(self._run_directory)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                self._monitor_fd = os.pidfd_open(pid)
                asyncio.get_running_loop().add_reader(self._monitor_fd, self._monitor_ended)

    def _monitor_ended(self) -> None:
        self._forget_monitor()
        self.tell()

    def _forget_monitor(self) -> None:
        if self._monitor_fd is not None:
            asyncio.get_running_loop().remove_reader(self._monitor_fd)
            os.close(self._monitor_fd)
            self._monitor_fd = None


class Starts(Notices):
    """Tells when a container of the engine may have been started, be it for the first time, or
    its restart has ended."""

    def __init__(self, roots: Roots) -> None:
        self._directory = f"{roots.run_root}/containers"
        os.makedirs(self._directory, mode=0o711, exist_ok=True)
        super().__init__([self._directory], IN_CREATE)
        self._watch_all()

    def _changed(self) -> None:
        super()._changed()
        self._watch_all()

    def _watch_all(self) -> None:
        """Every run directory is watched for its state: a container may be started again."""
        for name in os.listdir(self._directory):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                self._watch.add(f"{self._directory}/{name}", IN_MOVED_TO | IN_DELETE)
