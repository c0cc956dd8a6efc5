"""Removing directory trees of any depth, relative to descriptors: what containers and archives make
is deeper than a path can be long, and than recursion goes."""

from __future__ import annotations

import errno
import itertools
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str | bytes, dir_fd: int | None = None) -> None:
    """Remove a directory and all that is in it; no symbolic link is followed.

    Directories that are not empty are moved up, one after the other, to right below `path`, so
    that two descriptors are enough. It goes on after a failure, and raises the first one (OSError)
    at the end.
    """
    top = os.open(path, _DIRECTORY, dir_fd=dir_fd)
    try:
        clearing = Clearing(top)
        clearing.remove(clearing.strip(top))
    finally:
        os.close(top)
    if clearing.failures:
        raise clearing.failures[0]
    os.rmdir(path, dir_fd=dir_fd)


class Clearing:
    """Removes what is in the directory `top`, and puts there what cannot be removed at once.

    prefix    of the names that such directories get
    failures  what could not be removed, and why
    """

    def __init__(self, top: int, prefix: str = "") -> None:
        self._top = top
        self._names = _fresh_names(prefix)
        self.failures: list[OSError] = []

    def remove(self, names: Iterable[str]) -> None:
        """What has these names in `top`, and all that is in it."""
        waiting = list(names)
        while waiting:
            waiting = self.remove_level(waiting)

    def remove_level(self, names: Iterable[str]) -> list[str]:
        """The same but for the directories in it, which are in `top` under these names then."""
        found: list[str] = []
        for name in names:
            try:
                self._remove(name, found)
            except OSError as error:
                self.failures.append(error)
        return found

    def _remove(self, name: str, found: list[str]) -> None:
        try:
            fd = os.open(name, _DIRECTORY, dir_fd=self._top)
        except NotADirectoryError:
            os.unlink(name, dir_fd=self._top)
            return
        try:
            for child in self.strip(fd):
                self._move_up(child, fd, found)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=self._top)

    def _move_up(self, child: str, fd: int, found: list[str]) -> None:
        fresh = next(self._names)
        try:
            os.rename(child, fresh, src_dir_fd=fd, dst_dir_fd=self._top)
        except OSError as error:  # such as: another process has taken it
            self.failures.append(error)
        else:
            found.append(fresh)

    def strip(self, fd: int) -> list[str]:
        """Remove what can be removed at once from a directory; the names of directories that
        cannot."""
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
                    self.failures.append(error)
        return left


def _fresh_names(prefix: str) -> Iterator[str]:
    """Names that nobody has chosen."""
    prefix += os.urandom(8).hex()
    return (f"{prefix}-{number}" for number in itertools.count())
