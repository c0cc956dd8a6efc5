"""Applying the members of a layer's tar to an empty directory, as an overlay lower directory.

The directory must be the root of the process (the unpacker pivots into it); paths are resolved by
openat2 inside it all the same. Whiteouts become what overlayfs reads: a character device 0:0 for
a removed name; opaque directories are reported, since their xattr needs a capability that the
unpacker gives up. Standard library only: the confined unpacker imports this.

Source: OCI image-spec layer.md; engine.md D3.
"""

from __future__ import annotations

import os
import stat

from engine.images import tar
from engine.images.members import (
    LONGEST_PATH,
    Refused,
    clean_name,
    device_of,
    is_whiteout,
    set_attributes,
    set_attributes_by_name,
    time_of,
    write_content,
)
from engine.images.place import DIRECTORY, Place, path_of
from engine.kernel.openat2 import open_in_root
from engine.kernel.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.images.tar import Entry, TarReader

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_RESERVED = b".wh..wh."  # aufs leftovers, such as .wh..wh.plnk
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Limits:
    """How much one layer may hold."""

    __slots__ = ("bytes", "entries")

    def __init__(self, entries: int, total_bytes: int) -> None:
        self.entries = entries
        self.bytes = total_bytes


class Applier:
    """Applies members in their order; then `finish`, and read what is left to do.

    opaque    paths of directories that hide all that lies below them in lower layers
    whiteouts what hides something of lower layers, or nothing: that is not known here
    implied   directories that no member described: their attributes are those of the same
              directory in a lower layer, if there is one
    links     hard links to files of lower layers: path -> target. Each is an empty file so far
    warnings  what could not be kept, in plain words
    """

    def __init__(self, root_fd: int, limits: Limits) -> None:
        self._root = root_fd
        self._limits = limits
        self._place = Place(root_fd)
        self._times: dict[bytes, int] = {}
        self._awaited: dict[int, bytes] = {}  # inodes of `links`, and their targets
        self.entries = 0
        self.bytes = 0
        self.opaque = self._place.opaque
        self.whiteouts: list[bytes] = []
        self.implied = self._place.implied
        self.links: dict[bytes, bytes] = {}
        self.warnings: set[str] = set()

    def apply(self, entry: Entry, reader: TarReader) -> None:
        """Apply one member. Raises Refused, or OSError where the file system will not."""
        self._count(entry)
        path = clean_name(entry, entry.name)
        if not path:
            return
        parent, _, name = path.rpartition(b"/")
        if name.startswith(WHITEOUT):
            self._whiteout(entry, parent, name)
            return
        self._place.enter(entry, parent)
        if entry.type == tar.DIRECTORY:
            self._directory(entry, name)
        elif entry.type == tar.HARD_LINK:
            self._hard_link(entry, path, name)
        else:
            self._clear(name)
            self._create(entry, name, reader)

    def finish(self) -> None:
        """The times of directories, which each member put into one has changed."""
        for path, mtime_ns in self._times.items():
            fd = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                os.utime(fd, ns=(mtime_ns, mtime_ns))
            finally:
                os.close(fd)

    def _count(self, entry: Entry) -> None:
        self.entries += 1
        self.bytes += entry.size
        if self.entries > self._limits.entries:
            raise Refused(entry, f"the layer has more than {self._limits.entries} members")
        if self.bytes > self._limits.bytes:
            raise Refused(entry, f"the layer unpacks to more than {self._limits.bytes} bytes")

    def _whiteout(self, entry: Entry, parent: bytes, name: bytes) -> None:
        """A whiteout hides what lower layers have, never what this layer brings itself."""
        hidden = name.removeprefix(WHITEOUT)
        if name == OPAQUE:
            self._place.enter(entry, parent)
            self.opaque.add(os.getcwdb())
            return
        if name.startswith(_RESERVED):
            return
        if hidden in (b"", b".", b".."):
            raise Refused(entry, "a whiteout of nothing", code="invalid-layer")
        self._place.enter(entry, parent)
        try:
            os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0))
            self.whiteouts.append(path_of(hidden))
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(hidden).st_mode):
                self.opaque.add(path_of(hidden))

    def _directory(self, entry: Entry, name: bytes) -> None:
        try:
            os.mkdir(name, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(name).st_mode):
                self._clear(name)
                os.mkdir(name, 0o700)
                self.opaque.add(path_of(name))  # what it replaces hid all that lies below
        self.implied.discard(path_of(name))
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            set_attributes(entry, fd, self.warnings)
        finally:
            os.close(fd)
        self._times[path_of(name)] = time_of(entry)

    def _hard_link(self, entry: Entry, path: bytes, name: bytes) -> None:
        target = clean_name(entry, entry.link)
        if target == path:
            return
        parent, _, last = target.rpartition(b"/")
        try:
            fd = open_in_root(self._root, parent or b".", DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            self._defer(name, target)
            return
        try:
            self._link(entry, fd, last, name, target)
        finally:
            os.close(fd)

    def _link(
        self, entry: Entry, directory_fd: int, last: bytes, name: bytes, target: bytes
    ) -> None:
        try:
            found = os.stat(last, dir_fd=directory_fd, follow_symlinks=False)
        except FileNotFoundError:
            self._defer(name, target)
            return
        if stat.S_ISDIR(found.st_mode):
            raise Refused(entry, "a hard link to a directory")
        if is_whiteout(found):
            raise Refused(entry, "a hard link to a file that is removed", code="invalid-layer")
        if _same_file(name, found):
            return
        self._clear(name)
        try:
            os.link(last, name, src_dir_fd=directory_fd, follow_symlinks=False)
        except FileNotFoundError:
            raise Refused(
                entry, "a hard link in the place of its target", "invalid-layer"
            ) from None
        if found.st_ino in self._awaited:
            self.links[path_of(name)] = self._awaited[found.st_ino]

    def _defer(self, name: bytes, target: bytes) -> None:
        self._clear(name)
        fd = os.open(name, _CREATE, 0o600)
        self._awaited[os.fstat(fd).st_ino] = self.links[path_of(name)] = target
        os.close(fd)

    def _clear(self, name: bytes) -> None:
        """Room for a new `name`: a later member replaces an earlier one."""
        try:
            found = os.lstat(name)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(found.st_mode):
            self._remove_tree(name)
            return
        os.unlink(name)
        if found.st_ino in self._awaited:
            del self.links[path_of(name)]
            if found.st_nlink == 1:  # another file may have this inode next
                del self._awaited[found.st_ino]

    def _remove_tree(self, name: bytes) -> None:
        gone = path_of(name)
        below = gone + b"/"
        remove_tree(name)
        for path in [p for p in self._times if p == gone or p.startswith(below)]:
            del self._times[path]
        for paths in (self.opaque, self.implied):
            paths -= {p for p in paths if p == gone or p.startswith(below)}
        for path in [p for p in self.links if p.startswith(below)]:
            del self.links[path]
        self._awaited = {os.lstat(path).st_ino: target for path, target in self.links.items()}

    def _create(self, entry: Entry, name: bytes, reader: TarReader) -> None:
        if entry.type == tar.FILE:
            self._file(entry, name, reader)
            return
        if entry.type == tar.SYMLINK:
            if not entry.link or len(entry.link) >= LONGEST_PATH:
                raise Refused(entry, "a symbolic link of no usable length", code="invalid-layer")
            os.symlink(entry.link, name)
        elif entry.type == tar.FIFO:
            os.mkfifo(name, 0o600)
        else:
            kind = stat.S_IFCHR if entry.type == tar.CHARACTER else stat.S_IFBLK
            os.mknod(name, kind | 0o600, device_of(entry))
        set_attributes_by_name(entry, name, self.warnings)

    def _file(self, entry: Entry, name: bytes, reader: TarReader) -> None:
        fd = os.open(name, _CREATE, 0o600)
        try:
            write_content(fd, entry, reader)
            set_attributes(entry, fd, self.warnings)
            mtime_ns = time_of(entry)
            os.utime(fd, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(fd)


def _same_file(name: bytes, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.lstat(name), found)
    except FileNotFoundError:
        return False
