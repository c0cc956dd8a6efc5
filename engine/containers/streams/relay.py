"""Copying between our standard streams and those of a process in a container."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 65536
DRAIN_S = 2.0  # for what a process has left behind, after its end


async def relay(source_fd: int, take: Callable[[bytes], bool]) -> None:
    """Copy until the end of `source_fd`, or until nobody takes what comes."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    os.set_blocking(source_fd, False)

    def copy() -> None:
        try:
            chunk = os.read(source_fd, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last process has let go of the terminal
            chunk = b""
        if not chunk or not take(chunk):
            loop.remove_reader(source_fd)
            if not done.done():
                done.set_result(None)

    loop.add_reader(source_fd, copy)
    try:
        await done
    finally:
        loop.remove_reader(source_fd)


def write(fd: int, data: bytes) -> bool:
    """Write all of it, waiting where that must be; False where nobody takes it any more."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            select.select([], [fd], [])
        except OSError:
            return False
    return True


def copy_in_thread(
    source_fd: int, take: Callable[[bytes], bool], end: Callable[[], object]
) -> None:
    """Copy until either end closes. A thread, since stdin may be a file, which no loop watches.

    take  False: no more
    end   called in the thread, afterwards
    """

    def copy() -> None:
        with contextlib.suppress(OSError):
            while (chunk := os.read(source_fd, CHUNK_BYTES)) and take(chunk):
                pass
        end()

    threading.Thread(target=copy, daemon=True).start()


def close_quietly(fd: int) -> None:
    """Close what may have been closed already."""
    with contextlib.suppress(OSError):
        os.close(fd)
