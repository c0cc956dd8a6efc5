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
from engine.images.settle import is_opaque, is_whiteout

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Generator, Iterator

BLOCK = 512
_PIECE_BYTES = 1024 * 1024
_KEPT_XATTRS = ("user.", "security.capability", "system.posix_acl_")
_OVERLAY_XATTR = "user.overlay."


def diff_id_of(upper: str) -> tuple[str, int]:
    """Digest of the tar of `upper`, and the size of its files in bytes."""
    digest = hashlib.sha256()
    sizes: dict[tuple[int, int], int] = {}
    for piece in layer_tar(upper):
        digest.update(piece)
    for path in _walk(os.fsencode(upper)):
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode):
            sizes[found.st_dev, found.st_ino] = found.st_size
    return f"sha256:{digest.hexdigest()}", sum(sizes.values())


def layer_tar(upper: str) -> Generator[bytes, None, None]:
    """The layer as an uncompressed tar, in pieces."""
    root = os.fsencode(upper)
    links: dict[tuple[int, int], bytes] = {}
    for path in _walk(root):
        yield from _member(path, path[len(root) + 1 :], links)
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
    with os.scandir(directory) as entries:
        return sorted(entries, key=lambda entry: entry.name, reverse=True)


def _member(path: bytes, name: bytes, links: dict[tuple[int, int], bytes]) -> Iterator[bytes]:
    found = os.lstat(path)
    mode = found.st_mode
    if stat.S_ISSOCK(mode):  # tar cannot hold one
        return
    if is_whiteout(found):
        directory, slash, last = name.rpartition(b"/")
        yield _header(directory + slash + WHITEOUT + last)
        return
    info = _info(path, name, found)
    inode = found.st_dev, found.st_ino
    if inode in links:
        info.type, info.linkname, info.size = b"1", os.fsdecode(links[inode]), 0
        yield _encoded(info)
        return
    if found.st_nlink > 1 and not stat.S_ISDIR(mode):
        links[inode] = name
    yield _encoded(info)
    if stat.S_ISREG(mode):
        yield from _data(path, found.st_size)
    elif stat.S_ISDIR(mode) and is_opaque(path):
        yield _header(name + b"/" + OPAQUE)


def _info(path: bytes, name: bytes, found: os.stat_result) -> tarfile.TarInfo:
    info = _new(name)
    mode = found.st_mode
    info.mode = stat.S_IMODE(mode)
    info.uid, info.gid = found.st_uid, found.st_gid
    info.mtime = found.st_mtime_ns // 1_000_000_000
    if stat.S_ISREG(mode):
        info.size = found.st_size
    elif stat.S_ISDIR(mode):
        info.type = b"5"
        info.name += "/"
    elif stat.S_ISLNK(mode):
        info.type, info.linkname = b"2", os.fsdecode(os.readlink(path))
    elif stat.S_ISFIFO(mode):
        info.type = b"6"
    else:
        info.type = b"3" if stat.S_ISCHR(mode) else b"4"
        info.devmajor, info.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
    info.pax_headers = _xattrs(path)
    return info


def _new(name: bytes) -> tarfile.TarInfo:
    import tarfile

    return tarfile.TarInfo(os.fsdecode(name))


def _header(name: bytes) -> bytes:
    info = _new(name)
    info.mode = 0o600
    return _encoded(info)


def _encoded(info: tarfile.TarInfo) -> bytes:
    import tarfile

    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _xattrs(path: bytes) -> dict[str, str]:
    return {
        f"SCHILY.xattr.{name}": os.fsdecode(os.getxattr(path, name, follow_symlinks=False))
        for name in sorted(os.listxattr(path, follow_symlinks=False))
        if name.startswith(_KEPT_XATTRS) and not name.startswith(_OVERLAY_XATTR)
    }


def _data(path: bytes, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes and their padding, holes as zeros."""
    with open(path, "rb") as file:
        left = size
        while left and (piece := file.read(min(left, _PIECE_BYTES))):
            left -= len(piece)
            yield piece
    yield bytes(left + -size % BLOCK)
