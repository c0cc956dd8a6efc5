"""One builder at a time for each step, in whatever command: who waits finds it done."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_FLOCK = struct.Struct("hhqqi4x")  # struct flock: l_type, l_whence, l_start, l_len, l_pid


@contextlib.asynccontextmanager
async def turn(path: str, key: str, waiting: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the step `key` (hexadecimal); `waiting` is called where another holds it.

    The lock is on one byte of the file `path`, at an offset made of the key, and of the open file,
    so that tasks of one process exclude each other too. It goes with the process.
    """
    wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, int(key[:15], 16), 1, 0)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, wanted)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            waiting()
            await _in_thread(lambda: fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, wanted))
        yield
    finally:
        os.close(fd)


async def _in_thread(work: Callable[[], object]) -> None:
    """Cancelled, it leaves the thread behind, which no command waits for when it ends."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def end(error: OSError | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error = None
        try:
            work()
        except OSError as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(end, error)

    threading.Thread(target=run, daemon=True).start()
    await done
