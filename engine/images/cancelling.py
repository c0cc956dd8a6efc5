"""Long work on images from an event loop: in a thread that stops when the task is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

from engine.images.waits import Waits, of_this_work

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.images.image import Progress

Result = TypeVar("Result")


class Cancelled(Exception):
    """What progress raises in the thread to stop the work."""


async def in_thread(work: Callable[[Progress], Result], progress: Progress) -> Result:
    """Run `work(progress)` in a thread.

    Cancelled, it makes the next call of `progress` raise, ends what the thread waits for, and waits
    until it has cleaned up after itself: a task that has ended leaves nothing running.
    """
    stop, waits = threading.Event(), Waits()

    def tell(subject: str, text: str, done_bytes: int | None, total_bytes: int | None) -> None:
        if stop.is_set():
            raise Cancelled
        progress(subject, text, done_bytes, total_bytes)

    def run() -> Result:
        of_this_work(waits)
        return work(tell)

    thread = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        stop.set()
        waits.end()
        with contextlib.suppress(Exception):
            await thread
        raise
