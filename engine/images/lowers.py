"""What lower layers show together, without mounting them, and overlayfs' marks in them."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from engine.images.members import MOST_LINKS, components, is_whiteout
from engine.kernel.openat2 import open_beneath, open_in_root, stat_in_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
OPAQUE_XATTR = "trusted.overlay.opaque"


def is_opaque(path: int | bytes) -> bool:
    """Whether the directory hides what lies below it in lower layers."""
    try:
        return os.getxattr(path, OPAQUE_XATTR) == b"y"
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise
        return False


def is_hidden(path: bytes, opaque: frozenset[bytes]) -> bool:
    """Whether `path` is one of some opaque directories, or below one."""
    while opaque and path not in (b"", b"/"):
        if path in opaque:
            return True
        path = path.rpartition(b"/")[0]
    return b"/" in opaque


def without_links(path: bytes, find_link: Callable[[bytes], bytes | None]) -> bytes | None:
    """The absolute path that `path` means; None where its links lead in circles.

    find_link  where the symbolic link at a path leads; None: there is none. The directories above
               it are no links
    """
    real, left, links = b"", components(path), 0
    while left:
        here = real + b"/" + left.pop(0)
        link = find_link(here)
        if link is None:
            real = here
            continue
        links += 1
        if links > MOST_LINKS:
            return None
        base = b"" if link.startswith(b"/") else real
        real, left = b"", [*components(base + b"/" + link), *left]
    return real or b"/"


class Lowers:
    """Layers as directories, the top one first. Paths are from the root, slash or no slash."""

    def __init__(self, fds: Sequence[int]) -> None:
        self._fds = fds

    def find(self, path: bytes, kind: int) -> int | None:
        """A readable descriptor of what is at `path`, if it is of that kind: S_IFREG, S_IFDIR."""
        with self._at(path) as (lower, mode):
            if stat.S_IFMT(mode) != kind:
                return None
            return open_in_root(lower, _relative(path), os.O_RDONLY | os.O_NOFOLLOW)

    def mode(self, path: bytes) -> int:
        """Of what is at `path`, a symbolic link itself; 0 where nothing is."""
        with self._at(path) as (_, mode):
            return mode

    def has_directory(self, path: bytes) -> bool:
        """Whether there is a directory at `path`."""
        with self._at(path) as (_, mode):
            return stat.S_ISDIR(mode)

    def find_link(self, path: bytes) -> bytes | None:
        """Where the symbolic link at `path` leads."""
        with self._at(path) as (lower, mode):
            return read_link(lower, path) if stat.S_ISLNK(mode) else None

    @contextlib.contextmanager
    def _at(self, path: bytes) -> Iterator[tuple[int, int]]:
        """The layer that has what an overlay would show at `path`, and the mode of that; mode 0
        where there is nothing."""
        for lower in self._fds:
            mode = mode_of(lower, path)
            if stat.S_ISCHR(mode) and _has_whiteout(lower, path):
                break
            if mode or _ends_here(lower, _relative(path)):
                yield lower, mode
                return
        yield -1, 0


def mode_of(layer: int, path: bytes) -> int:
    """Of what is at `path` in a layer, a symbolic link itself; 0 where nothing is."""
    try:
        return stat_in_root(layer, _relative(path), os.O_NOFOLLOW).st_mode
    except OSError:  # it is missing, or behind something that is no directory
        return 0


def _has_whiteout(layer: int, path: bytes) -> bool:
    return is_whiteout(stat_in_root(layer, _relative(path), os.O_NOFOLLOW))


def read_link(layer: int, path: bytes) -> bytes:
    """Where the symbolic link at `path` in a layer leads."""
    fd = open_in_root(layer, _relative(path), os.O_PATH | os.O_NOFOLLOW)
    try:
        return os.readlink(b"", dir_fd=fd)
    finally:
        os.close(fd)


def _ends_here(lower: int, path: bytes) -> bool:
    """Whether this layer hides lower ones on the way to `path`, which it does not have."""
    here = b"."
    for part in path.split(b"/"):
        try:
            fd = open_in_root(lower, here, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        except OSError:  # a whiteout or another file is in the way
            return True
        try:
            if not stat.S_ISDIR(os.fstat(fd).st_mode) or is_opaque(fd):
                return True
        finally:
            os.close(fd)
        here += b"/" + part
    return False


@contextlib.contextmanager
def opened(directory: str) -> Iterator[int]:
    """A descriptor of a layer."""
    fd = os.open(directory, _DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def opened_beneath(layer: int, path: bytes, flags: int = _DIRECTORY) -> Iterator[int]:
    """A descriptor of what is at `path` in a layer, through no symbolic link."""
    fd = open_beneath(layer, _relative(path), flags)
    try:
        yield fd
    finally:
        os.close(fd)


def _relative(path: bytes) -> bytes:
    return path.strip(b"/") or b"."
