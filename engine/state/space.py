"""A disk that is full or cannot be written, as a Problem that says which and how full."""

from __future__ import annotations

import contextlib
import errno
import os

from engine.errors import Problem

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = (errno.ENOSPC, errno.EDQUOT)
# sqlite.org/rescode.html; primary codes are the low byte
_SQLITE_READONLY, _SQLITE_IOERR, _SQLITE_FULL, _SQLITE_CANTOPEN = 8, 10, 13, 14
_HINT = "`buoy system df` shows what takes space, `buoy system prune` frees what nothing uses"
_INDEX_BYTES = 64 * 1024  # SQLite's file of shared memory, which it extends by writing
_FEW_INODES = 16


class DiskFull(Problem):
    """There is no room for what has to be written."""

    code = "disk-full"


class DiskReadOnly(Problem):
    """What has to be written to can only be read."""

    code = "read-only"


@contextlib.contextmanager
def writing(path: str, what: str) -> Iterator[None]:
    """What is raised in here because of the disk at `path` becomes a Problem; `what` is being
    written. For where a bare OSError would be taken for something else."""
    try:
        yield
    except OSError as error:
        problem = find_disk_problem(error, path, what)
        if problem is None:
            raise
        raise problem from None


def check_room(path: str, needed_bytes: int, what: str) -> None:
    """Raises DiskFull where there is certainly too little room for so many bytes at `path`."""
    free = free_bytes(path)
    if needed_bytes > free:
        raise DiskFull(
            f"{what} needs {_megabytes(needed_bytes)} on the disk of {path}, where "
            f"{_megabytes(free)} are free",
            hint=_HINT,
        )


def find_disk_problem(error: Exception, path: str, what: str = "") -> Problem | None:
    """The problem that an OSError, or an error of sqlite3, stands for; None: it is another.

    path  where it happened, if the error does not say
    """
    code = error.errno if isinstance(error, OSError) else None
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    subject = f"{what}: " if what else ""
    if isinstance(error, OSError) and isinstance(error.filename, str):
        path = error.filename
    without_room = primary == _SQLITE_IOERR and free_bytes(path) < _INDEX_BYTES
    if code in _FULL or primary == _SQLITE_FULL or without_room:
        return full(path, subject)
    without_log = primary == _SQLITE_CANTOPEN and _is_read_only(path)  # its log cannot be made
    if code == errno.EROFS or primary == _SQLITE_READONLY or without_log:
        return DiskReadOnly(
            f"{subject}{path} is on a filesystem that can only be read",
            hint="mount it writable, or give another place with --root",
        )
    return None


def with_disk_problems(error: Exception, path: str) -> Exception:
    """The same, or a group with the same, with Problems in place of the errors of a disk."""
    if isinstance(error, ExceptionGroup):
        parts = [with_disk_problems(one, path) for one in error.exceptions]
        return error if parts == list(error.exceptions) else error.derive(parts)
    return find_disk_problem(error, path) or error


def full(path: str, subject: str = "") -> DiskFull:
    """The problem of a disk without room, with what is left of it."""
    place = _existing(path)
    found = os.statvfs(place)
    if found.f_files and found.f_favail < _FEW_INODES:
        left = f"{found.f_favail} inodes are left"
    else:
        left = f"{_megabytes(free_bytes(place))} are free"
    return DiskFull(f"{subject}no space left on the disk of {path}: {left}", hint=_HINT)


def free_bytes(path: str) -> int:
    """What can still be written on the disk of `path`, which need not be there yet."""
    found = os.statvfs(_existing(path))
    return found.f_bavail * found.f_frsize


def _is_read_only(path: str) -> bool:
    return bool(os.statvfs(_existing(path)).f_flag & os.ST_RDONLY)


def _existing(path: str) -> str:
    """The path, or the nearest directory above it that there is."""
    path = os.path.abspath(path)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB"
