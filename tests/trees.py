"""What directory trees hold, and how two differ: everything that a layer can describe."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from engine.kernel import mounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


class Node(NamedTuple):
    """One file. `first` is the least name of the same inode; `content` a digest, or the target."""

    kind: str
    mode: str
    uid: int
    gid: int
    mtime_ns: int
    device: tuple[int, int]
    size: int
    content: str
    first: bytes
    xattrs: tuple[tuple[str, bytes], ...]


def tree(top: Path) -> dict[bytes, Node]:
    """All files below a directory, and the directory itself as `b"."`, by their names."""
    root = os.fsencode(top)
    names = [b".", *sorted(_names(root, b""))]
    inodes: dict[tuple[int, int], bytes] = {}
    return {name: _node(root + b"/" + name, name, inodes) for name in names}


def differences(ours: Mapping[bytes, Node], theirs: Mapping[bytes, Node]) -> list[str]:
    """One line for each name and field that differs: `usr/bin/x: mode 0755, 04755`."""
    lines = []
    for name in sorted(ours.keys() | theirs.keys()):
        shown = name.decode(errors="backslashreplace")
        if name not in theirs or name not in ours:
            lines.append(f"{shown}: only {'ours' if name in ours else 'theirs'}")
            continue
        pairs = zip(Node._fields, ours[name], theirs[name], strict=True)
        lines += [f"{shown}: {field} {our!r}, {their!r}" for field, our, their in pairs if our != their]
    return lines


@contextlib.contextmanager
def merged(lowers: Sequence[str], directory: Path) -> Iterator[Path]:
    """A read-only overlay of layers (top first), mounted on a new directory below `directory`."""
    at = directory / "merged"
    at.mkdir(parents=True)
    places = []
    for number, lower in enumerate(lowers):  # by short names: the options are cut at a page
        (at.parent / f"l{number}").symlink_to(lower)
        places.append(f"{at.parent}/l{number}")
    empty = at.parent / "empty"  # an overlay has two lower directories at least
    empty.mkdir()
    data = f"lowerdir={':'.join([*places, str(empty)])}"
    mounts.mount("overlay", str(at), "overlay", mounts.MS_RDONLY, data)
    try:
        yield at
    finally:
        mounts.unmount(str(at))


def _names(root: bytes, prefix: bytes) -> Iterator[bytes]:
    with os.scandir(root + b"/" + prefix) as entries:
        for entry in entries:
            yield prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _names(root, prefix + entry.name + b"/")


def _node(path: bytes, name: bytes, inodes: dict[tuple[int, int], bytes]) -> Node:
    found = os.lstat(path)
    is_directory = stat.S_ISDIR(found.st_mode)
    return Node(
        kind=stat.filemode(found.st_mode)[0],
        mode=f"{stat.S_IMODE(found.st_mode):04o}",
        uid=found.st_uid,
        gid=found.st_gid,
        mtime_ns=found.st_mtime_ns,
        device=(os.major(found.st_rdev), os.minor(found.st_rdev)),
        size=0 if is_directory else found.st_size,
        content=_content(path, found.st_mode),
        first=inodes.setdefault((found.st_dev, found.st_ino), name),
        xattrs=tuple(
            (key, os.getxattr(path, key, follow_symlinks=False))
            for key in sorted(os.listxattr(path, follow_symlinks=False))
            if not key.startswith("trusted.overlay.")
        ),
    )


def _content(path: bytes, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return repr(os.readlink(path))
    if not stat.S_ISREG(mode):
        return ""
    with open(path, "rb") as file:  # noqa: PTH123 - names that are not text
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
