"""Removing directory trees of any depth, relative to descriptors: what containers and archives make
is deeper than a path can be long, and than recursion goes."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str | bytes, dir_fd: int | None = None) -> None:
    """Remove a directory and all that is in it; no symbolic link is followed.

    Directories that are not empty are moved up, one after the other, to right below `path`, so
    that two descriptors are enough. It goes on after a failure, and raises the first one (OSError)
    at the end.
    """
    top = os.open(path, _DIRECTORY, dir_fd=dir_fd)
    try:
        failures = _clear(top)
    finally:
        os.close(top)
    if failures:
        raise failures[0]
    os.rmdir(path, dir_fd=dir_fd)


def _clear(top: int) -> list[OSError]:
    failures: list[OSError] = []
    names = _fresh_names()
    waiting = _strip(top, failures)
    while waiting:
        name = waiting.pop()
        try:
            fd = os.open(name, _DIRECTORY, dir_fd=top)
            try:
                for child in _strip(fd, failures):
                    fresh = next(names)
                    os.rename(child, fresh, src_dir_fd=fd, dst_dir_fd=top)
                    waiting.append(fresh)
            finally:
                os.close(fd)
            os.rmdir(name, dir_fd=top)
        except OSError as error:
            failures.append(error)
    return failures


def _strip(fd: int, failures: list[OSError]) -> list[str]:
    """Remove what can be removed at once from a directory; the names of directories that cannot."""
    left = []
    with os.scandir(fd) as entries:
        found = list(entries)
    for entry in found:
        try:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=fd)
                continue
            os.rmdir(entry.name, dir_fd=fd)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                left.append(entry.name)
            else:
                failures.append(error)
    return left


def _fresh_names() -> Iterator[str]:
    """Names that nobody has chosen."""
    prefix, number = os.urandom(8).hex(), 0
    while True:
        number += 1
        yield f"{prefix}-{number}"
