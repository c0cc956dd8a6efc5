"""Room for the records of what is removed, where a full disk has left none: without it, nothing
could be removed to make room."""

from __future__ import annotations

import contextlib
import os

from engine.state.space import free_bytes

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator

_BYTES = 512 * 1024  # the write-ahead log and the index of SQLite, with room to spare


def keep_reserve(root: str) -> None:
    """Have the room set aside, unless there is too little to do so."""
    path = f"{root}/reserve"
    if _is_kept(path) or free_bytes(root) < 4 * _BYTES:
        return
    with contextlib.suppress(OSError), open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, _BYTES)


def release_reserve(root: str) -> bool:
    """Let the room be used; whether there was any set aside."""
    try:
        os.unlink(f"{root}/reserve")
    except OSError:
        return False
    return True


def _is_kept(path: str) -> bool:
    """Not where who made the file was killed before it had its room."""
    try:
        return os.stat(path).st_size >= _BYTES
    except OSError:
        return False


@contextlib.contextmanager
def making_room(root: str) -> Iterator[None]:
    """For what removes something: on a full disk, the reserve is there for it."""
    if free_bytes(root) < _BYTES:
        release_reserve(root)
    try:
        yield
    finally:
        keep_reserve(root)
