"""One member of a layer's tar: its name, owner, attributes and data, checked and written.

Standard library only: the confined unpacker imports this. Source: engine.md D3.
"""

from __future__ import annotations

import errno
import os
import stat

from engine.images import tar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from engine.images.tar import Entry

    class Members(Protocol):
        """What members are read from: a TarReader, or what reads a tree as one does."""

        def __iter__(self) -> Iterator[Entry]: ...

        def data(self) -> Iterator[bytes]: ...


LONGEST_PATH = 4096
MOST_LINKS = 40  # symlinks followed in one path, as in the kernel
KEPT_XATTRS = (b"user.", b"security.capability", b"system.posix_acl_")
_LARGEST_XATTR = 64 * 1024
_LAST_TIME_NS = (1 << 40) * 1_000_000_000


class Refused(Exception):
    """A member that must not be unpacked, or cannot be. `code` is that of the Problem."""

    def __init__(self, entry: Entry, why: str, code: str = "hostile-archive") -> None:
        name = entry.name.decode(errors="backslashreplace")
        super().__init__(f"{name!r}: {why}")
        self.code = code


def clean_name(entry: Entry, name: bytes) -> bytes:
    """`./a//b/../c` -> `a/c`; refused where `..` leads above the root."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise Refused(entry, "it leads out of the layer (breakout)")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    cleaned = b"/".join(parts)
    if len(cleaned) >= LONGEST_PATH or any(len(part) > 255 for part in parts):
        raise Refused(entry, "the name is too long", code="invalid-layer")
    return cleaned


def components(path: bytes) -> list[bytes]:
    """Like `clean_name` for the target of a symlink: above the root is the root."""
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return parts


def is_whiteout(found: os.stat_result) -> bool:
    """Whether overlayfs takes this file for "removed here": a character device 0:0."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def set_attributes(entry: Entry, fd: int, warnings: set[str]) -> None:
    """Those of an open file. The owner first: a change of it clears capabilities and setuid bits.

    warnings  is added to, where something cannot be kept
    """
    os.fchown(fd, *_owner(entry))
    if entry.xattrs:
        _set_xattrs(entry, fd, warnings)
    os.fchmod(fd, entry.mode)


def set_attributes_by_name(entry: Entry, name: bytes, warnings: set[str]) -> None:
    """The same, and the time, of what is in the current directory and cannot be opened."""
    uid, gid = _owner(entry)
    os.chown(name, uid, gid, follow_symlinks=False)
    if entry.xattrs:
        _set_xattrs(entry, name, warnings)
    if entry.type != tar.SYMLINK:
        os.chmod(name, entry.mode)
    mtime_ns = time_of(entry)
    os.utime(name, ns=(mtime_ns, mtime_ns), follow_symlinks=False)


def _set_xattrs(entry: Entry, target: int | bytes, warnings: set[str]) -> None:
    for key, value in entry.xattrs.items():
        if key.startswith((b"trusted.overlay.", b"user.overlay.")):
            raise Refused(entry, f"it sets {key.decode(errors='replace')}")
        if len(value) > _LARGEST_XATTR:
            raise Refused(entry, f"an extended attribute of {len(value)} bytes")
        if key.startswith(KEPT_XATTRS):
            _set_xattr(target, key, value, warnings)
        else:
            warnings.add(f"{key.decode(errors='replace')} attributes were left out")


def _set_xattr(target: int | bytes, key: bytes, value: bytes, warnings: set[str]) -> None:
    try:
        if isinstance(target, int):
            os.setxattr(target, key, value)
        else:
            os.setxattr(target, key, value, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM):
            raise
        warnings.add(f"{key.decode(errors='replace')} could not be set")


def _owner(entry: Entry) -> tuple[int, int]:
    if not (0 <= entry.uid < 2**32 - 1 and 0 <= entry.gid < 2**32 - 1):
        raise Refused(entry, f"the owner {entry.uid}:{entry.gid} is out of range")
    return entry.uid, entry.gid


def device_of(entry: Entry) -> int:
    """As mknod(2) takes it."""
    major, minor = entry.device
    if not (0 <= major < 1 << 12 and 0 <= minor < 1 << 20):  # include/linux/kdev_t.h
        raise Refused(entry, f"the device {major}:{minor} is out of range")
    return os.makedev(major, minor)


def time_of(entry: Entry) -> int:
    """Within what the system call takes; the file system clamps further by itself."""
    return max(-_LAST_TIME_NS, min(entry.mtime_ns, _LAST_TIME_NS))


def write_content(fd: int, entry: Entry, members: Members) -> None:
    """The data of the present member into an empty file, its holes left out."""
    if entry.extents is None:
        for piece in members.data():
            _write(fd, piece)
        return
    os.ftruncate(fd, entry.length)
    pieces = members.data()
    piece = b""
    for offset, size in entry.extents:
        os.lseek(fd, offset, os.SEEK_SET)
        left = size
        while left:
            piece = piece or next(pieces)
            _write(fd, piece[:left])
            left, piece = left - min(left, len(piece)), piece[left:]


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
