"""One at a time for each key, in whatever command: a step is built by one, a container started or
changed by one.

The locks are on single bytes of one file, at offsets made of the keys (hexadecimal), so that
nothing is left of a key; and of the open file, so that tasks of one process exclude each other
too. They go with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import threading

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_FLOCK = struct.Struct("hhqqi4x")  # struct flock: l_type, l_whence, l_start, l_len, l_pid


@contextlib.asynccontextmanager
async def turn(
    path: str, key: str, waiting: Callable[[], object] = lambda: None
) -> AsyncIterator[None]:
    """Hold a key for the length of a with-block; `waiting` is called where another holds it."""
    with _opened(path) as fd:
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _wanted(key))
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            waiting()
            await _in_thread(lambda: fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, _wanted(key)))
        yield


@contextlib.contextmanager
def short_turn(path: str, key: str) -> Iterator[None]:
    """The same for who awaits nothing in the block."""
    with _opened(path) as fd:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, _wanted(key))
        yield


def is_taken(path: str, key: str) -> bool:
    """Whether somebody holds it now."""
    with _opened(path) as fd:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _wanted(key))
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _wanted(key: str) -> bytes:
    return _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, int(key[:15], 16), 1, 0)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield fd
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
