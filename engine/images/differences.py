"""What in an unpacked layer is not as the layer's tar has it."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from engine.images import tar as kinds
from engine.images.expected import expected
from engine.images.lowers import Lowers, opened, read_link, without_links
from engine.kernel.openat2 import open_in_root, stat_in_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.images.expected import Expected
    from engine.images.tar import Entry

_TYPES = {
    kinds.FILE: stat.S_IFREG,
    kinds.HARD_LINK: stat.S_IFREG,
    kinds.SYMLINK: stat.S_IFLNK,
    kinds.CHARACTER: stat.S_IFCHR,
    kinds.BLOCK_DEVICE: stat.S_IFBLK,
    kinds.DIRECTORY: stat.S_IFDIR,
    kinds.FIFO: stat.S_IFIFO,
}
_COMPARED_XATTRS = ("user.", "security.capability")  # chmod(2) changes access control lists


def differences(
    tar: Iterator[bytes], directory: str, lowers: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Path, and what is other than in the tar: missing, type, content, owner, mode, extended
    attributes, target. `tar` is read to its end; what it raises goes on up.

    Of a hard link its being there is looked at, of all its names the attributes of the first; times
    are not.

    lowers  directories of the layers below, top first
    """
    members = expected(tar)
    with contextlib.ExitStack() as stack:
        layers = [stack.enter_context(opened(one)) for one in (directory, *lowers)]
        find_link = functools.cache(Lowers(layers).find_link)
        for path, member in members.items():
            found = [_difference(layers[0], at, member) for at in _places(path, find_link)]
            if all(found):
                yield path.decode(errors="backslashreplace"), found[0] or ""


def _places(path: bytes, find_link: Callable[[bytes], bytes | None]) -> Iterator[bytes]:
    """Where it is: by its name, or where a link below it leads (engine.images.redirect)."""
    yield path
    parent, _, name = path.rpartition(b"/")
    real = without_links(parent, find_link)
    if real is not None and real.strip(b"/") != parent:
        yield real + b"/" + name


def _difference(root: int, path: bytes, member: Expected) -> str | None:
    entry = member.entry
    try:
        found = stat_in_root(root, path, os.O_NOFOLLOW)
    except OSError:
        return "missing"
    if stat.S_IFMT(found.st_mode) != _TYPES[entry.type]:
        return None if _may_be_link(entry, found) else "type"
    if entry.type == kinds.HARD_LINK:
        return None
    return _attributes(entry, found) or _inside(root, path, found, member)


def _may_be_link(entry: Entry, found: os.stat_result) -> bool:
    """A hard link is of the type of its target."""
    return entry.type == kinds.HARD_LINK and not stat.S_ISDIR(found.st_mode)


def _attributes(entry: Entry, found: os.stat_result) -> str | None:
    if (found.st_uid, found.st_gid) != (entry.uid, entry.gid):
        return "owner"
    if entry.type != kinds.SYMLINK and stat.S_IMODE(found.st_mode) != entry.mode:
        return "mode"
    if entry.type in (kinds.CHARACTER, kinds.BLOCK_DEVICE):
        return None if found.st_rdev == os.makedev(*entry.device) else "device"
    return None


def _inside(root: int, path: bytes, found: os.stat_result, member: Expected) -> str | None:
    """What the inode of a file, directory or symbolic link does not tell."""
    entry = member.entry
    if entry.type == kinds.SYMLINK:
        return None if read_link(root, path) == entry.link else "target"
    if entry.type not in (kinds.FILE, kinds.DIRECTORY):
        return None
    if entry.type == kinds.FILE and found.st_size != entry.length:
        return "content"
    fd = open_in_root(root, path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, fd)
        if not _has_xattrs(fd, entry):
            return "extended attributes"
        if member.digest is not None:
            with open(fd, "rb", closefd=False) as file:
                same = hashlib.file_digest(file, "sha256").digest() == member.digest
            return None if same else "content"
    return None


def _has_xattrs(fd: int, entry: Entry) -> bool:
    """And no others; also where the filesystem can have none."""
    try:
        names = os.listxattr(fd)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return True
    found = {os.fsencode(name): os.getxattr(fd, name) for name in names if _is_compared(name)}
    return found == {
        name: value for name, value in entry.xattrs.items() if _is_compared(os.fsdecode(name))
    }


def _is_compared(name: str) -> bool:
    return name.startswith(_COMPARED_XATTRS)
