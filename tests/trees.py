"""What directory trees hold, and how two differ: everything that a layer can describe."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.kernel import mounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Tree = dict[bytes, "Node"]


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


def tree(top: Path) -> Tree:
    """All files below a directory, by their names."""
    root = os.fsencode(top)
    names = sorted(_names(root, b""))
    inodes: dict[tuple[int, int], bytes] = {}
    return {name: _node(root + b"/" + name, name, inodes) for name in names}


def differences(ours: Tree, theirs: Tree) -> list[str]:
    """One line for each name and field that differs: `usr/bin/x: mode 0755, 04755`."""
    lines = []
    for name in sorted(ours.keys() | theirs.keys()):
        shown = name.decode(errors="backslashreplace")
        if name not in theirs or name not in ours:
            lines.append(f"{shown}: only {'ours' if name in ours else 'theirs'}")
            continue
        pairs = zip(Node._fields, ours[name], theirs[name], strict=True)
        lines += [
            f"{shown}: {field} {our!r}, {their!r}" for field, our, their in pairs if our != their
        ]
    return lines


def merged_tree(lowers: Sequence[str], directory: Path) -> Tree:
    """What a container sees of layers (top first): an overlay, mounted below `directory`."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        at = Path(place)
        names = [f"l{number}" for number, _ in enumerate(lowers)]
        for name, lower in zip(names, lowers, strict=True):  # short: the options are cut at a page
            (at / name).symlink_to(lower)
        (at / "empty").mkdir()  # an overlay without an upper directory has two lower ones at least
        places = [f"{at}/{name}" for name in (*names, "empty")]
        data = f"lowerdir={':'.join(places)}"
        (at / "merged").mkdir()
        mounts.mount("overlay", f"{at}/merged", "overlay", mounts.MS_RDONLY, data)
        try:
            return tree(at / "merged")
        finally:
            mounts.unmount(f"{at}/merged")


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
        return repr(os.readlink(path))  # noqa: PTH115 - names that are not text
    if not stat.S_ISREG(mode):
        return ""
    with open(path, "rb") as file:  # noqa: PTH123 - names that are not text
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
