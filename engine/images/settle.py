"""What is left to do for an unpacked layer once the layers below it are there."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.kernel.openat2 import open_beneath, open_in_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.images.unpack import Unpacked

OPAQUE_XATTR = "trusted.overlay.opaque"
_OVERLAY = "trusted.overlay."


def settle(directory: str, unpacked: Unpacked, lowers: Sequence[str], subject: str) -> None:
    """Finish the layer in `directory` on top of `lowers` (top first).

    Directories that the archive implied take their attributes from below; hard links to files of
    lower layers become copies of them; opaque directories get their mark; whiteouts in directories
    that nothing below has go away: overlayfs would list them.
    Raises ImageProblem where such a file is nowhere.
    """
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(_directory(directory))
        fds = [stack.enter_context(_directory(lower)) for lower in lowers]
        for path in unpacked.implied:
            if not _hidden(path, unpacked.opaque):
                _adopt_attributes(root, path, fds)
        for path, target in unpacked.links:
            _copy_up(root, path, target, fds, subject)
        _remove_vain(root, unpacked, fds)
        for path in unpacked.opaque:
            with _opened_beneath(root, path, os.O_RDONLY | os.O_DIRECTORY) as fd:
                os.setxattr(fd, OPAQUE_XATTR, b"y")


def is_whiteout(found: os.stat_result) -> bool:
    """Whether overlayfs takes this file for "removed here": a character device 0:0."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def is_opaque(path: int | bytes) -> bool:
    """Whether the directory hides what lies below it in lower layers."""
    try:
        return os.getxattr(path, OPAQUE_XATTR) == b"y"
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise
        return False


def _remove_vain(root: int, unpacked: Unpacked, lowers: Sequence[int]) -> None:
    """overlayfs leaves whiteouts out where it merges directories, and passes on one as it is."""
    merged: dict[bytes, bool] = {}
    for path in unpacked.whiteouts:
        parent, _, name = path.rpartition(b"/")
        if parent not in merged:
            merged[parent] = not _hidden(parent, unpacked.opaque) and _is_directory(lowers, parent)
        if not merged[parent]:
            _remove_whiteout(root, parent, name)


def _is_directory(lowers: Sequence[int], path: bytes) -> bool:
    fd = _find(lowers, path.lstrip(b"/") or b".")
    if fd is None:
        return False
    try:
        return stat.S_ISDIR(os.fstat(fd).st_mode)
    finally:
        os.close(fd)


def _remove_whiteout(root: int, parent: bytes, name: bytes) -> None:
    """Unless a later member took its place."""
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        _opened_beneath(root, parent, os.O_RDONLY | os.O_DIRECTORY) as fd,
    ):
        if is_whiteout(os.stat(name, dir_fd=fd, follow_symlinks=False)):
            found = os.fstat(fd)
            os.unlink(name, dir_fd=fd)
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _adopt_attributes(root: int, path: bytes, lowers: Sequence[int]) -> None:
    source = _find(lowers, path.lstrip(b"/"))
    if source is None:
        return
    try:
        found = os.fstat(source)
        if not stat.S_ISDIR(found.st_mode):
            return
        with _opened_beneath(root, path, os.O_RDONLY | os.O_DIRECTORY) as fd:
            os.fchown(fd, found.st_uid, found.st_gid)
            _copy_xattrs(source, fd)
            os.fchmod(fd, stat.S_IMODE(found.st_mode))
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))
    finally:
        os.close(source)


def _copy_up(root: int, path: bytes, target: bytes, lowers: Sequence[int], subject: str) -> None:
    source = _find(lowers, target)
    if source is None or not stat.S_ISREG(os.fstat(source).st_mode):
        shown = target.decode(errors="backslashreplace")
        raise ImageProblem(
            f"{subject} has a hard link to {shown!r}, which is not there", code="invalid-layer"
        )
    with os.fdopen(source, "rb") as data, _opened_beneath(root, path, os.O_WRONLY) as fd:
        found = os.fstat(source)
        with os.fdopen(os.dup(fd), "wb") as copy:
            shutil.copyfileobj(data, copy)
        os.fchown(fd, found.st_uid, found.st_gid)
        _copy_xattrs(source, fd)
        os.fchmod(fd, stat.S_IMODE(found.st_mode))
        os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _find(lowers: Sequence[int], path: bytes) -> int | None:
    """A readable descriptor of what an overlay of `lowers` would show at `path`."""
    for lower in lowers:
        try:
            fd = open_in_root(lower, path, os.O_PATH | os.O_NOFOLLOW)
        except OSError:
            if _ends_here(lower, path):
                return None
            continue
        try:
            mode = os.fstat(fd).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                return None
            return open_in_root(lower, path, os.O_RDONLY | os.O_NOFOLLOW)
        finally:
            os.close(fd)
    return None


def _ends_here(lower: int, path: bytes) -> bool:
    """Whether this layer hides lower ones on the way to `path`, which it does not have."""
    parent = path
    while parent:
        parent = parent.rpartition(b"/")[0]
        try:
            fd = open_in_root(lower, parent or b".", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            continue
        except OSError:  # a whiteout or another file is in the way
            return True
        try:
            return not stat.S_ISDIR(os.fstat(fd).st_mode) or is_opaque(fd)
        finally:
            os.close(fd)
    return False


def _hidden(path: bytes, opaque: Sequence[bytes]) -> bool:
    return any(path == above or path.startswith(above.rstrip(b"/") + b"/") for above in opaque)


def _copy_xattrs(source: int, target: int) -> None:
    for name in os.listxattr(source):
        if not name.startswith(_OVERLAY):
            os.setxattr(target, name, os.getxattr(source, name))


@contextlib.contextmanager
def _directory(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _opened_beneath(root: int, path: bytes, flags: int) -> Iterator[int]:
    fd = open_beneath(root, path.lstrip(b"/") or b".", flags)
    try:
        yield fd
    finally:
        os.close(fd)
