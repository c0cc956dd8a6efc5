"""`state.json`, by which a monitor tells all others how its container is.

The monitor alone writes it, and holds a lock on a file beside it for as long as it lives: a state
that says `running` without a holder of the lock is that of a monitor that was killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATE_NAME = "state.json"  # in the run directory, while a container runs and after
LAST_STATE_NAME = "last.json"  # in the durable directory, from its end on
LOCK_NAME = "lock"  # held by the monitor
RESTART_NAME = "restarting"  # held by who stops a container to start it again
CONFIG_NAME = "config.json"  # the launch record, in the run directory
_FLOCK = struct.Struct("hhqqi4x")  # struct flock, 64 bits
_F_GETLK = fcntl.F_GETLK


def write_json(directory: str, name: str, value: dict[str, Any], *, durable: bool = False) -> None:
    """Replace a file in one step: readers see the old or the new text, never half of one.

    durable  it survives a power cut once this has returned
    """
    temporary = f"{directory}/.{name}.{os.getpid()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, json.dumps(value).encode())
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, f"{directory}/{name}")


def read_json(path: str) -> dict[str, Any] | None:
    """The value of a file that may not be there, or (after a power cut) not be whole."""
    try:
        with open(path, encoding="utf-8") as file:
            value: dict[str, Any] = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    return value


def take_lock(run_directory: str, name: str = LOCK_NAME) -> int | None:
    """Become the monitor of this container; None if it has one. The lock goes with the process.

    name  RESTART_NAME: become the one who restarts it
    A POSIX lock on purpose: forks do not inherit it, and the kernel tells who holds it.
    """
    fd = os.open(f"{run_directory}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def lock_holder(run_directory: str, name: str = LOCK_NAME) -> int | None:
    """Pid of the container's monitor (or, by name, of who restarts it), None if it has none."""
    try:
        fd = os.open(f"{run_directory}/{name}", os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(fd, _F_GETLK, asked))
    finally:
        os.close(fd)
    return None if kind == fcntl.F_UNLCK else pid
