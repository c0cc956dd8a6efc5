"""Files put into an image's root: COPY as Docker does it (engine.md D6.10).

Paths of the target are resolved by the kernel: the process that does this has the image's root as
its own `/`. Standard library alone: the copying child imports this.
"""

from __future__ import annotations

import os
import stat

from engine.build.modes import apply_mode
from engine.build.tree import KEPT_XATTRS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.build.tree import Entry, Found, Selection

_CHUNK_BYTES = 1 << 24
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SET_IDS = stat.S_ISUID | stat.S_ISGID  # chown and writing clear them


class PlaceError(Exception):
    """A target that cannot be written as asked, in words for the user."""


class Look:
    """What the copies shall look like.

    owner  (uid, gid) for all; None keeps the source's
    mode   of --chmod; None keeps the source's
    """

    __slots__ = ("mode", "owner")

    def __init__(self, owner: tuple[int, int] | None, mode: str | None) -> None:
        self.owner, self.mode = owner, mode


class Placer:
    """Copies things from below `root` (a descriptor) into `/`."""

    def __init__(self, root: int, look: Look, selection: Selection) -> None:
        self._root, self._look, self._selection = root, look, selection
        self._links: dict[tuple[int, int], str] = {}  # (device, inode) -> where it was put first
        self._firsts: dict[str, tuple[int, int]] = {}  # the same, to look up the other way round
        self._times: list[tuple[str, int]] = []  # directories, set when all is written

    def place(self, found: Found, target: str) -> None:
        """One source at `target`: a directory's content into it, a file as it or into it.

        A `target` that ends in `/` is a directory, one that does not is what the file is called,
        unless it is a directory already. Symlinks on the way, the last one too, are followed.
        """
        is_directory = stat.S_ISDIR(found.info.st_mode)
        if is_directory or target.endswith("/"):
            self.make_directories(target)
        path = os.path.realpath(target)
        self.make_directories(os.path.dirname(path))
        if not is_directory and os.path.isdir(path):
            path = os.path.join(path, found.name)
        for entry in self._selection.walk(self._root, found):
            self._put(entry, f"{path}/{entry.relative}".rstrip("/") or "/")

    def finish(self) -> None:
        """Directory times, deepest first: writing into them changed them."""
        for path, modified_ns in reversed(self._times):
            os.utime(path, ns=(modified_ns, modified_ns))

    def make_directories(self, path: str) -> None:
        """mkdir -p: 0755, owned as the copies are, root without an owner of theirs."""
        path = os.path.realpath(path)
        if os.path.isdir(path):
            return
        self.make_directories(os.path.dirname(path))
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            raise PlaceError(f"cannot make the directory {path}: it is a file") from None
        os.chmod(path, 0o755)  # mkdir's mode is cut by the umask
        os.chown(path, *(self._look.owner or (0, 0)))

    def _put(self, entry: Entry, target: str) -> None:
        kind = stat.S_IFMT(entry.info.st_mode)
        if kind == stat.S_IFSOCK:
            return
        if kind == stat.S_IFDIR:
            self._put_directory(entry, target)
            return
        try:
            self._make(entry, kind, target)
        except FileExistsError:  # seldom: it is not asked for before
            self._clear(target)
            self._make(entry, kind, target)
        if entry.info.st_nlink > 1:
            self._note_link(entry, target)

    def _make(self, entry: Entry, kind: int, target: str) -> None:
        if self._put_link(entry, target):
            return
        if kind == stat.S_IFREG:
            self._put_file(entry, target)
            return
        if kind == stat.S_IFLNK:
            os.symlink(entry.read_link(), target)
            os.chown(target, *self._owner(entry), follow_symlinks=False)
        else:
            os.mknod(target, entry.info.st_mode, entry.info.st_rdev)
            self._dress(entry, target)
        modified_ns = entry.info.st_mtime_ns
        os.utime(target, ns=(modified_ns, modified_ns), follow_symlinks=False)

    def _put_directory(self, entry: Entry, target: str) -> None:
        """The top one is there and keeps its attributes; those inside take the source's."""
        if not entry.relative:
            return
        try:
            os.mkdir(target)
        except FileExistsError:
            if os.path.islink(target) or not os.path.isdir(target):
                raise PlaceError(f"cannot copy the directory {entry.path} over a file") from None
        self._dress(entry, target)
        self._times.append((target, entry.info.st_mtime_ns))

    def _put_link(self, entry: Entry, target: str) -> bool:
        """A second name of a file that was copied already."""
        first = self._links.get((entry.info.st_dev, entry.info.st_ino))
        if first is None:
            return False
        os.link(first, target, follow_symlinks=False)
        return True

    def _note_link(self, entry: Entry, target: str) -> None:
        key = entry.info.st_dev, entry.info.st_ino
        if self._links.setdefault(key, target) == target:
            self._firsts[target] = key

    def _put_file(self, entry: Entry, target: str) -> None:
        mode = self._mode(entry)
        copy = os.open(target, _NEW, mode & 0o777)
        try:
            source = entry.open()
            try:
                _copy_content(source, copy, entry.info.st_size)
                made = os.fstat(copy)
                if (made.st_uid, made.st_gid) != self._owner(entry):
                    os.fchown(copy, *self._owner(entry))
                if stat.S_IMODE(made.st_mode) != mode or mode & _SET_IDS:
                    os.fchmod(copy, mode)
                _copy_xattrs(source, copy)
            finally:
                os.close(source)
            modified_ns = entry.info.st_mtime_ns
            os.utime(copy, ns=(modified_ns, modified_ns))
        finally:
            os.close(copy)

    def _dress(self, entry: Entry, target: str) -> None:
        """Owner, then mode: chown clears set-user-id."""
        os.chown(target, *self._owner(entry))
        os.chmod(target, self._mode(entry))

    def _mode(self, entry: Entry) -> int:
        mode = entry.info.st_mode
        wanted = self._look.mode
        return stat.S_IMODE(mode) if wanted is None else apply_mode(wanted, mode)

    def _owner(self, entry: Entry) -> tuple[int, int]:
        return self._look.owner or (entry.info.st_uid, entry.info.st_gid)

    def _clear(self, target: str) -> None:
        replaced = self._firsts.pop(target, None)
        if replaced is not None:  # other names of that file are not those of its successor
            del self._links[replaced]
        try:
            os.unlink(target)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            raise PlaceError(f"cannot replace the directory {target} with a file") from None


def _copy_content(source: int, target: int, size: int) -> None:
    """All bytes, in the kernel: shared extents where the filesystem can. `size` is a guess that
    saves the call that finds the end."""
    copy: Callable[[int, int, int], int] = os.copy_file_range
    done = 0
    while True:
        try:
            count = copy(source, target, _CHUNK_BYTES)
        except OSError:  # two filesystems of different kinds: goes on from where both stand
            if copy is _send_file:
                raise
            copy = _send_file
            continue
        done += count
        if not count or done == size:
            return


def _send_file(source: int, target: int, most: int) -> int:
    return os.sendfile(target, source, None, most)


def _copy_xattrs(source: int, target: int) -> None:
    for name in os.listxattr(source):
        if name.startswith(KEPT_XATTRS):
            os.setxattr(target, name, os.getxattr(source, name))
