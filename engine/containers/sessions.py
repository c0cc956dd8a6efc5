"""How many processes may be executed in one container at a time (engine.md E18).

Each session holds a lock on one byte of a file in the container's run directory: the kernel lets
go of it with the process that waits for the session, however that ends.
"""

from __future__ import annotations

import fcntl
import os

FILE_NAME = "sessions"
MOST = 256


def begin_session(run_directory: str) -> int | None:
    """A descriptor to be kept open for as long as the session lasts; None: there are too many."""
    path = f"{run_directory}/{FILE_NAME}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for number in range(MOST):
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            continue
        return fd
    os.close(fd)
    return None
