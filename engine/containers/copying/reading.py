"""A tree read as an archive would be: member by member, from descriptors of its directories.

Whoever owns the tree may change it meanwhile: nothing is opened by more than a single name, no
symlink is followed, and what is opened has been looked at before. Standard library alone.
"""

from __future__ import annotations

import errno
import os
import stat

from engine.containers.copying.refusals import CopyRefused
from engine.containers.copying.sides import kernels_own
from engine.images import tar
from engine.images.members import KEPT_XATTRS
from engine.images.tar import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.containers.copying.sides import Side

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NOBODY = 65534
_MOST_NESTED = 400  # directories; each holds two descriptors
_KINDS = {
    stat.S_IFREG: tar.FILE,
    stat.S_IFDIR: tar.DIRECTORY,
    stat.S_IFLNK: tar.SYMLINK,
    stat.S_IFIFO: tar.FIFO,
    stat.S_IFCHR: tar.CHARACTER,
    stat.S_IFBLK: tar.BLOCK_DEVICE,
}


class TreeReader:
    """Members of the tree below an O_PATH descriptor; as `tar.TarReader`, `data` is of the last.

    name      of the top; all others are below it
    avoid     (device, inode) of a directory that is not entered: where the copy is written
    left_out  (name, why) of what has no place in a copy
    """

    def __init__(self, side: Side, fd: int, name: str) -> None:
        self._first, self._fd, self._name = side.first, fd, os.fsencode(name)
        self._links: dict[tuple[int, int], bytes] = {}
        self._file = -1  # the present member
        self._extents: list[tuple[int, int]] = []
        self.left_out: list[tuple[bytes, str]] = []
        self.avoid: tuple[int, int] | None = None

    def __iter__(self) -> Iterator[Entry]:
        return self._walk(self._fd, self._name, os.fstat(self._fd).st_dev, 0)

    def data(self, chunk_bytes: int = 1024 * 1024) -> Iterator[bytes]:
        """The data of the present member, in pieces; less of it where it was cut meanwhile."""
        if not self._extents:
            return
        fd = os.open(f"/proc/self/fd/{self._file}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            for offset, size in self._extents:
                yield from _pieces(fd, offset, size, chunk_bytes)
        finally:
            os.close(fd)

    def _walk(self, fd: int, name: bytes, device: int, depth: int) -> Iterator[Entry]:
        found = os.fstat(fd)
        if stat.S_ISSOCK(found.st_mode):
            self.left_out.append((name, "a socket"))
            return
        if found.st_dev != device and (kind := kernels_own(fd)):
            self.left_out.append((name, f"of the kernel ({kind})"))
            return
        if (found.st_dev, found.st_ino) == self.avoid:
            self.left_out.append((name, "where the copy goes"))
            return
        yield self._entry(fd, name, found)
        if stat.S_ISDIR(found.st_mode):
            if depth >= _MOST_NESTED:
                raise OSError(errno.ENAMETOOLONG, f"more than {_MOST_NESTED} directories deep")
            yield from self._below(fd, name, found.st_dev, depth)

    def _below(self, fd: int, name: bytes, device: int, depth: int) -> Iterator[Entry]:
        list_fd = os.open(".", _LIST, dir_fd=fd)
        try:
            names = sorted(os.fsencode(one) for one in os.listdir(list_fd))
        finally:
            os.close(list_fd)
        for child in names:
            try:
                child_fd = os.open(child, _LOOK, dir_fd=fd)
            except FileNotFoundError:  # removed meanwhile
                continue
            try:
                inner = b"%s/%s" % (name, child) if name else child
                yield from self._walk(child_fd, inner, device, depth + 1)
            finally:
                os.close(child_fd)

    def _entry(self, fd: int, name: bytes, found: os.stat_result) -> Entry:
        mode = found.st_mode
        entry = Entry(name, _KINDS[stat.S_IFMT(mode)])
        entry.mode = stat.S_IMODE(mode)
        entry.uid, entry.gid = self._ids(found)
        entry.mtime_ns = found.st_mtime_ns
        self._file, self._extents = fd, []
        inode = found.st_dev, found.st_ino
        if not stat.S_ISDIR(mode) and found.st_nlink > 1:
            first = self._links.setdefault(inode, name)
            if first != name:
                entry.type, entry.link = tar.HARD_LINK, first
                return entry
        if stat.S_ISLNK(mode):
            entry.link = os.readlink(b"", dir_fd=fd)
        elif stat.S_ISREG(mode):
            self._describe_file(entry, fd, found)
        elif not stat.S_ISDIR(mode):
            entry.device = os.major(found.st_rdev), os.minor(found.st_rdev)
            return entry
        if not stat.S_ISLNK(mode):
            entry.xattrs = _xattrs(fd)
        return entry

    def _describe_file(self, entry: Entry, fd: int, found: os.stat_result) -> None:
        entry.length = entry.size = found.st_size
        self._extents = [(0, found.st_size)] if found.st_size else []
        if found.st_blocks * 512 < found.st_size:
            self._extents = entry.extents = _data_of(fd, found.st_size)
            entry.size = sum(size for _, size in self._extents)

    def _ids(self, found: os.stat_result) -> tuple[int, int]:
        uid, gid = found.st_uid - self._first[0], found.st_gid - self._first[1]
        return (uid if uid >= 0 else _NOBODY), (gid if gid >= 0 else _NOBODY)


def _pieces(fd: int, offset: int, size: int, chunk_bytes: int) -> Iterator[bytes]:
    while size:
        piece = os.pread(fd, min(size, chunk_bytes), offset)
        if not piece:
            raise CopyRefused("copy-source", "it became shorter while it was copied")
        offset, size = offset + len(piece), size - len(piece)
        yield piece


def _data_of(look_fd: int, length: int) -> list[tuple[int, int]]:
    """The pieces of a file that are no holes. Source: lseek(2), SEEK_DATA."""
    fd = os.open(f"/proc/self/fd/{look_fd}", os.O_RDONLY | os.O_CLOEXEC)
    found, at = [], 0
    try:
        while at < length:
            start = os.lseek(fd, at, os.SEEK_DATA)
            at = min(os.lseek(fd, start, os.SEEK_HOLE), length)
            if at > start:
                found.append((start, at - start))
    except OSError as error:
        if error.errno != errno.ENXIO:  # nothing but a hole up to the end
            raise
    finally:
        os.close(fd)
    return found


def _xattrs(fd: int) -> dict[bytes, bytes]:
    path = f"/proc/self/fd/{fd}"
    try:
        names = [os.fsencode(name) for name in os.listxattr(path)]
        return {name: os.getxattr(path, name) for name in names if name.startswith(KEPT_XATTRS)}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENODATA, errno.EACCES, errno.EPERM):
            return {}
        raise
