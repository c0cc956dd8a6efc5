"""ADD of a local archive: unpacked into a directory that it cannot leave (engine.md D6.10, D3.6).

Standard library alone: the copying child imports this.
"""

from __future__ import annotations

import contextlib
import errno
import gzip  # noqa: F401 - tarfile imports it when it needs it; by then nothing can be imported
import lzma
import os
import shutil
import stat
import tarfile
import zlib

from engine.build.ignore import clean
from engine.build.place import PlaceError
from engine.build.tree import KEPT_XATTRS
from engine.kernel.openat2 import open_in_root
from engine.kernel.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_NO_FILES = (b"V",)  # the name of the archive, as GNU tar's --label gives it one
_KINDS = {
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}
_XATTR = "SCHILY.xattr."


def open_archive(fd: int) -> tarfile.TarFile | None:
    """The file as a tar archive, plain or compressed with gzip, bzip2 or xz; None if it is none.
    What it is called does not matter."""
    if not os.fstat(fd).st_size:
        return None
    try:
        archive = tarfile.open(fileobj=os.fdopen(os.dup(fd), "rb"))  # noqa: SIM115
    except (tarfile.ReadError, EOFError):
        return None
    return archive


def unpack(archive: tarfile.TarFile, directory: int) -> None:
    """Every member below `directory` (a descriptor), symlinks resolved as if that were `/`.

    Owners are the archive's numbers, whatever --chown says, as with BuildKit. Raises PlaceError
    for a member that cannot be made.
    """
    times: list[tuple[str, float]] = []
    for member in _members(archive):
        path = clean(member.name)
        if path == "." or member.type in _NO_FILES:
            continue
        try:
            _Unpacker(archive, directory).put(member, path)
        except (OSError, *_DAMAGE) as error:
            why = getattr(error, "strerror", None) or error
            raise PlaceError(f"archive member {member.name}: {why}") from None
        if member.isdir():
            times.append((path, member.mtime))
    for path, modified in reversed(times):
        fd = open_in_root(directory, os.fsencode(path), _DIRECTORY)
        os.utime(fd, (modified, modified))
        os.close(fd)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    try:
        yield from archive
    except _DAMAGE as error:
        raise PlaceError(f"the archive is damaged: {error}") from None


def _check_kind(member: tarfile.TarInfo) -> None:
    if not (member.isdir() or member.isreg() or member.islnk() or member.type in _KINDS):
        raise PlaceError(f"archive member {member.name}: of the unknown kind {member.type!r}")


class _Unpacker:
    def __init__(self, archive: tarfile.TarFile, directory: int) -> None:
        self._archive, self._directory = archive, directory

    def put(self, member: tarfile.TarInfo, path: str) -> None:
        """One member at a cleaned path."""
        above, name = os.path.split(path)
        parent = self._open_directory(above)
        try:
            _check_kind(member)
            self._clear(member, parent, name)
            if member.isdir():
                self._put_directory(member, parent, name)
            elif member.isreg():
                self._put_file(member, parent, name)
            elif member.islnk():
                self._put_link(member, parent, name)
            else:
                self._put_special(member, parent, name)
        finally:
            os.close(parent)

    def _open_directory(self, path: str) -> int:
        """The directory, with those above it made where they are missing."""
        try:
            return open_in_root(self._directory, os.fsencode(path or "."), _DIRECTORY)
        except FileNotFoundError:
            above, name = os.path.split(path)
        parent = self._open_directory(above)
        try:
            os.mkdir(name, 0o755, dir_fd=parent)
        finally:
            os.close(parent)
        return open_in_root(self._directory, os.fsencode(path), _DIRECTORY)

    @staticmethod
    def _clear(member: tarfile.TarInfo, parent: int, name: str) -> None:
        """What is there gives way, but directories stay for directories."""
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.EISDIR, errno.EPERM):
                raise
            if not member.isdir():
                remove_tree(name, dir_fd=parent)

    def _put_directory(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
        fd = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        self._dress(member, fd)
        os.close(fd)

    def _put_file(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        fd = os.open(name, flags, 0o600, dir_fd=parent)
        with os.fdopen(fd, "wb") as file:
            content: IO[bytes] | None = self._archive.extractfile(member)
            assert content is not None  # it is a regular file
            shutil.copyfileobj(content, file)
            file.flush()
            self._dress(member, fd)
            os.utime(fd, (member.mtime, member.mtime))

    def _put_link(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        above, target = os.path.split(clean(member.linkname))
        source = open_in_root(self._directory, os.fsencode(above or "."), _DIRECTORY)
        try:
            os.link(target, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _put_special(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        """A symlink, a device or a fifo."""
        if member.issym():
            os.symlink(member.linkname, name, dir_fd=parent)
        else:
            device = os.makedev(member.devmajor, member.devminor)
            os.mknod(name, _KINDS[member.type] | member.mode & 0o7777, device, dir_fd=parent)
        os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
        os.utime(name, (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)

    @staticmethod
    def _dress(member: tarfile.TarInfo, fd: int) -> None:
        os.fchown(fd, member.uid, member.gid)
        os.fchmod(fd, member.mode & 0o7777)
        for key, value in member.pax_headers.items():
            name = key.removeprefix(_XATTR)
            if name != key and name.startswith(KEPT_XATTRS):
                os.setxattr(fd, name, value.encode("utf-8", "surrogateescape"))
