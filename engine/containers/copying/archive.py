"""A tar stream of what is copied, on its way to a pipe. Standard library alone."""

from __future__ import annotations

import os
import tarfile

from engine.images import tar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.images.members import Members
    from engine.images.tar import Entry

_ZEROS = bytes(1024 * 1024)
_SECOND_NS = 1_000_000_000


class TarWriter:
    """Members as a PAX archive on a descriptor; holes are zeros."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def put(self, entry: Entry, members: Members) -> None:
        """One member with its data."""
        self._write(_header(entry))
        if entry.type == tar.FILE:
            for piece in _content(entry, members):
                self._write(piece)
            self._write(bytes(-entry.length % tar.BLOCK))

    def finish(self) -> None:
        """The end mark."""
        self._write(bytes(2 * tar.BLOCK))

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._fd, left) :]


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(os.fsdecode(entry.name))
    info.type, info.mode = entry.type, entry.mode
    info.uid, info.gid = entry.uid, entry.gid
    info.linkname = os.fsdecode(entry.link)
    info.devmajor, info.devminor = entry.device
    info.size = entry.length if entry.type == tar.FILE else 0
    seconds, rest = divmod(entry.mtime_ns, _SECOND_NS)
    info.mtime = seconds
    info.pax_headers = {
        f"SCHILY.xattr.{os.fsdecode(key)}": os.fsdecode(value)
        for key, value in entry.xattrs.items()
    }
    if rest and seconds >= 0:
        info.pax_headers["mtime"] = f"{seconds}.{rest:09}"
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _content(entry: Entry, members: Members) -> Iterator[bytes]:
    if entry.extents is None:
        yield from members.data()
        return
    at, pieces, piece = 0, members.data(), b""
    for offset, size in entry.extents:
        yield from _hole(offset - at)
        at, left = offset + size, size
        while left:
            piece = piece or next(pieces)
            yield piece[:left]
            left, piece = left - min(left, len(piece)), piece[left:]
    yield from _hole(entry.length - at)


def _hole(size: int) -> Iterator[bytes]:
    while size:
        yield _ZEROS[:size]
        size -= min(size, len(_ZEROS))
