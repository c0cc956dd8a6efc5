"""Locks between commands: flock(2) on files, given back by the kernel when the holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOOK_AGAIN_S = 0.1  # flock(2) cannot be waited for and given up at the same time


@contextlib.contextmanager
def locked(
    path: str, *, shared: bool = False, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold the lock `path`, waiting for it; the file is made if needed and never removed.

    Threads of one process exclude each other too: each call opens the file anew.
    waiting  called again and again while another has it; what it raises ends the wait
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with _opened(path) as fd:
        while waiting is not None and not _taken(fd, kind):
            waiting()
            time.sleep(_LOOK_AGAIN_S)
        if waiting is None:
            fcntl.flock(fd, kind)
        yield


@contextlib.contextmanager
def locked_if_free(path: str) -> Iterator[bool]:
    """Hold the lock exclusively if nobody has it; the value tells whether it is held."""
    with _opened(path) as fd:
        yield _taken(fd, fcntl.LOCK_EX)


def _taken(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
