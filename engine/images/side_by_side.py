"""Work on several layers at once, in threads of its own: the first failure ends it all."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

Result = TypeVar("Result")


class Stopped(Exception):
    """Another one failed, or we are interrupted."""


class SideBySide:
    """Pieces of work that are started within a with-block, of which `limit` run at once.

    At the end of the block all are waited for. Then it raises what the first failing one raised;
    also when it is interrupted, nothing is left running.

    wake  called when it is interrupted: ends what the work may be waiting for
    """

    def __init__(self, limit: int, wake: Callable[[], None] | None = None) -> None:
        self._wake = wake
        self._pool = ThreadPoolExecutor(limit, thread_name_prefix="layer")
        self._stop = threading.Event()
        self._results: list[Future[Any]] = []

    def start(self, work: Callable[[], Result]) -> Future[Result]:
        """What becomes of it; others may wait for that, too."""
        result = self._pool.submit(contextvars.copy_context().run, work)
        self._results.append(result)
        return result

    def check(self) -> None:
        """Called by the work now and then. Raises Stopped where it is to end."""
        if self._stop.is_set():
            raise Stopped

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        is_interrupted = True
        try:
            if kind is None:
                wait(self._results, return_when=FIRST_EXCEPTION)
                is_interrupted = False
        finally:
            if is_interrupted and self._wake is not None:
                self._wake()
            if any(not result.done() or result.exception() for result in self._results):
                self._stop.set()
            self._pool.shutdown(cancel_futures=True)
        if kind is None:
            self._raise_cause()

    def _raise_cause(self) -> None:
        failures = [result.exception() for result in self._results if not result.cancelled()]
        causes = [failure for failure in failures if failure is not None]
        for cause in sorted(causes, key=lambda failure: isinstance(failure, Stopped)):
            raise cause
