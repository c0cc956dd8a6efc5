"""The tar of a layer, from an overlay's upper directory: the same bytes for the same content.

Entries are sorted by name; times are whole seconds, as Docker writes them; overlay's own marks
become whiteouts. Applying the result gives the directory again.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from engine.images.apply import OPAQUE, WHITEOUT
from engine.images.header import (
    BLOCK,
    CHARACTER,
    DEVICE,
    DIRECTORY,
    FIFO,
    FILE,
    LINK,
    SYMLINK,
    tar_header,
)
from engine.images.lowers import is_opaque
from engine.images.members import is_whiteout

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_PIECE_BYTES = 1024 * 1024
_KEPT_XATTRS = ("user.", "security.capability", "system.posix_acl_")
_OVERLAY_XATTR = "user.overlay."


def diff_id_of(upper: str) -> tuple[str, int]:
    """Digest of the tar of `upper`, and the size of its files in bytes."""
    digest = hashlib.sha256()
    sizes: dict[tuple[int, int], int] = {}
    for piece in layer_tar(upper, sizes):
        digest.update(piece)
    return f"sha256:{digest.hexdigest()}", sum(sizes.values())


def layer_tar(
    upper: str, sizes: dict[tuple[int, int], int] | None = None
) -> Generator[bytes, None, None]:
    """The layer as an uncompressed tar, in pieces. What goes meanwhile, as in the tree of a
    container that runs, is left out.

    sizes  gets the size of each file, by device and inode
    """
    root = os.fsencode(upper)
    links: dict[tuple[int, int], bytes] = {}
    for path in _walk(root):
        try:
            found = os.lstat(path)
            yield from _member(path, path[len(root) + 1 :], found, links)
        except (FileNotFoundError, NotADirectoryError):  # before anything of it has been given
            continue
        if sizes is not None and stat.S_ISREG(found.st_mode):
            sizes[found.st_dev, found.st_ino] = found.st_size
    yield bytes(2 * BLOCK)


def _walk(directory: bytes) -> Iterator[bytes]:
    """All paths below, each directory before what it holds; names in byte order."""
    waiting = _children(directory)
    while waiting:
        entry = waiting.pop()
        yield entry.path
        if entry.is_dir(follow_symlinks=False):
            waiting += _children(entry.path)


def _children(directory: bytes) -> list[os.DirEntry[bytes]]:
    """The last name first."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name, reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _member(
    path: bytes, name: bytes, found: os.stat_result, links: dict[tuple[int, int], bytes]
) -> Iterator[bytes]:
    mode = found.st_mode
    if stat.S_ISSOCK(mode):  # tar cannot hold one
        return
    if is_whiteout(found):
        directory, slash, last = name.rpartition(b"/")
        yield tar_header(directory + slash + WHITEOUT + last, FILE, mode=0o600)
        return
    inode = found.st_dev, found.st_ino
    if inode in links:
        yield _header(path, name, LINK, found, link=links[inode])
        return
    if found.st_nlink > 1 and not stat.S_ISDIR(mode):
        links[inode] = name
    if stat.S_ISREG(mode):
        header = _header(path, name, FILE, found, size=found.st_size)
        yield from _with_data(header, path, found.st_size)
    elif stat.S_ISDIR(mode):
        opaque = is_opaque(path)
        yield _header(path, name + b"/", DIRECTORY, found)
        if opaque:
            yield tar_header(name + b"/" + OPAQUE, FILE, mode=0o600)
    elif stat.S_ISLNK(mode):
        yield _header(path, name, SYMLINK, found, link=os.readlink(path))
    elif stat.S_ISFIFO(mode):
        yield _header(path, name, FIFO, found)
    else:
        kind = CHARACTER if stat.S_ISCHR(mode) else DEVICE
        number = os.major(found.st_rdev), os.minor(found.st_rdev)
        yield _header(path, name, kind, found, device=number)


def _header(
    path: bytes,
    name: bytes,
    kind: bytes,
    found: os.stat_result,
    *,
    size: int = 0,
    link: bytes = b"",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    return tar_header(
        name,
        kind,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        size=size,
        mtime=found.st_mtime_ns // 1_000_000_000,
        link=link,
        device=device,
        xattrs=_xattrs(path),
    )


def _xattrs(path: bytes) -> dict[bytes, bytes]:
    names = os.listxattr(path, follow_symlinks=False)
    return {
        os.fsencode(name): os.getxattr(path, name, follow_symlinks=False)
        for name in names
        if name.startswith(_KEPT_XATTRS) and not name.startswith(_OVERLAY_XATTR)
    }


def _with_data(header: bytes, path: bytes, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes and their padding, holes as zeros; what is small in one piece."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        piece, left = header, size
        while left and (data := os.read(fd, min(left, _PIECE_BYTES))):
            left -= len(data)
            if left:
                yield piece + data
                piece = b""
            else:
                piece += data
        yield piece + bytes(left + -size % BLOCK)
    finally:
        os.close(fd)
