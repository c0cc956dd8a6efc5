"""Going into the directories that members of a layer are put into, made where they are missing.

Standard library only: the confined unpacker imports this. Source: engine.md D3.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from engine.images.members import MOST_LINKS, Refused, components, is_whiteout
from engine.kernel.openat2 import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.images.tar import Entry

DIRECTORY = os.O_PATH | os.O_DIRECTORY


class Place:
    """The current directory, below the root of the layer.

    opaque   directories that were made in the place of a whiteout
    implied  all that were made
    """

    def __init__(self, root_fd: int) -> None:
        self._root = root_fd
        self._parent: bytes | None = None  # path of the current directory
        self.opaque: set[bytes] = set()
        self.implied: set[bytes] = set()

    def enter(self, entry: Entry, path: bytes) -> None:
        """Make `path` the current directory: from there on, names have one component."""
        if path == self._parent:
            return
        try:
            fd = self._open_directory(path)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise Refused(entry, "its parent is not a directory") from None
            raise
        os.fchdir(fd)
        os.close(fd)
        self._parent = path

    def _open_directory(self, path: bytes) -> int:
        """A descriptor of the directory `path`, made with its parents where missing."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # or behind a whiteout
            return open_in_root(self._root, path or b".", DIRECTORY)
        self._parent = None
        here, left, links = b"", path.split(b"/"), 0
        os.fchdir(self._root)
        while left:
            name = left.pop(0)
            link = self._enter_or_make(here + name)
            if link is None:
                here += name + b"/"
                continue
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = link if link.startswith(b"/") else path_of(link)
            here, left = b"", [*components(target), *left]
            os.fchdir(self._root)
        return os.open(".", DIRECTORY | os.O_CLOEXEC)

    def _enter_or_make(self, path: bytes) -> bytes | None:
        """Go into the directory `path`, whose parent is the current one and which is made where it
        is missing; or, where a dangling symlink is, what that points to."""
        try:
            fd = open_in_root(self._root, path, DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            link = self._make_directory(path.rpartition(b"/")[2])
            if link is not None:
                return link
            fd = open_in_root(self._root, path, DIRECTORY)
        os.fchdir(fd)
        os.close(fd)
        return None

    def _make_directory(self, name: bytes) -> bytes | None:
        """Make an implied directory here; or, where a dangling symlink is, what it points to."""
        try:
            os.mkdir(name, 0o755)
        except FileExistsError:
            found = os.lstat(name)
            if stat.S_ISLNK(found.st_mode):
                return os.readlink(name)
            if not is_whiteout(found):
                raise NotADirectoryError(errno.ENOTDIR, "not a directory") from None
            os.unlink(name)
            os.mkdir(name, 0o755)
            self.opaque.add(path_of(name))
        self.implied.add(path_of(name))
        return None


def path_of(name: bytes) -> bytes:
    """The real path of `name` in the current directory, from the root."""
    directory = os.getcwdb()
    return directory.rstrip(b"/") + b"/" + name
