"""What is left to do for an unpacked layer once the layers below it are there."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.lowers import (
    OPAQUE_XATTR,
    Lowers,
    is_hidden,
    opened,
    opened_beneath,
)
from engine.images.members import is_whiteout
from engine.images.redirect import redirect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.images.unpack import Unpacked

_OVERLAY = "trusted.overlay."


def settle(directory: str, unpacked: Unpacked, lowers: Sequence[str], subject: str) -> None:
    """Finish the layer in `directory` on top of `lowers` (top first).

    What was put behind links of lower layers is moved to where they lead. Directories that the
    archive implied take their attributes from below; hard links to files of lower layers become
    copies of them; opaque directories get their mark; whiteouts in directories that nothing below
    has go away, since overlayfs would list them.
    Raises ImageProblem where such a file is nowhere, or such a link leads nowhere.
    """
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(opened(directory))
        below = Lowers([stack.enter_context(opened(lower)) for lower in lowers])
        unpacked = redirect(root, unpacked, below, subject)
        opaque = frozenset(unpacked.opaque)
        for path in unpacked.implied:
            if not is_hidden(path, opaque):
                _adopt_attributes(root, path, below)
        for path, target in unpacked.links:
            _copy_up(root, path, target, below, subject)
        _remove_vain(root, unpacked.whiteouts, opaque, below)
        for path in unpacked.opaque:
            with opened_beneath(root, path) as fd:
                os.setxattr(fd, OPAQUE_XATTR, b"y")


def _remove_vain(
    root: int, whiteouts: Sequence[bytes], opaque: frozenset[bytes], lowers: Lowers
) -> None:
    """overlayfs leaves whiteouts out where it merges directories, and passes on one as it is."""
    merged: dict[bytes, bool] = {}
    for path in whiteouts:
        parent, _, name = path.rpartition(b"/")
        if parent not in merged:
            merged[parent] = not is_hidden(parent, opaque) and lowers.has_directory(parent)
        if not merged[parent]:
            _remove_whiteout(root, parent, name)


def _remove_whiteout(root: int, parent: bytes, name: bytes) -> None:
    """Unless a later member took its place."""
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        opened_beneath(root, parent) as fd,
    ):
        if is_whiteout(os.stat(name, dir_fd=fd, follow_symlinks=False)):
            found = os.fstat(fd)
            os.unlink(name, dir_fd=fd)
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _adopt_attributes(root: int, path: bytes, lowers: Lowers) -> None:
    source = lowers.find(path, stat.S_IFDIR)
    if source is None:
        return
    try:
        found = os.fstat(source)
        with opened_beneath(root, path) as fd:
            os.fchown(fd, found.st_uid, found.st_gid)
            _copy_xattrs(source, fd)
            os.fchmod(fd, stat.S_IMODE(found.st_mode))
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))
    finally:
        os.close(source)


def _copy_up(root: int, path: bytes, target: bytes, lowers: Lowers, subject: str) -> None:
    source = lowers.find(target, stat.S_IFREG)
    if source is None:
        shown = target.decode(errors="backslashreplace")
        raise ImageProblem(
            f"{subject} has a hard link to {shown!r}, which is not there", code="invalid-layer"
        )
    with os.fdopen(source, "rb") as data, opened_beneath(root, path, os.O_WRONLY) as fd:
        found = os.fstat(source)
        with os.fdopen(os.dup(fd), "wb") as copy:
            shutil.copyfileobj(data, copy)
        os.fchown(fd, found.st_uid, found.st_gid)
        _copy_xattrs(source, fd)
        os.fchmod(fd, stat.S_IMODE(found.st_mode))
        os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_xattrs(source: int, target: int) -> None:
    for name in os.listxattr(source):
        if not name.startswith(_OVERLAY):
            os.setxattr(target, name, os.getxattr(source, name))
