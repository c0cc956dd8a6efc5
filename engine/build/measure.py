"""What the content of sources is, as far as a copy of them could tell (engine.md D7.2).

Standard library alone: the copying child imports this.
"""

from __future__ import annotations

import hashlib
import os
import stat

from engine.build.tree import KEPT_XATTRS, find_source, find_with_parents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.build.tree import Entry, Selection

    # digest of a regular file's data and attributes
    FileDigest = Callable[[Entry], str]

_CHUNK_BYTES = 1 << 20


def measure(
    root: int,
    sources: Sequence[str],
    selection: Selection,
    *,
    owners: bool,
    file_digest: FileDigest,
    parents: bool = False,
    tops: bool = False,
) -> dict[str, str]:
    """A fingerprint for each path that the sources name: kind, mode, owner, data; never times.

    owners   whether uid and gid count: they do not in a build context, whose copies are root's
    parents  whether the sources are those of COPY --parents
    tops     whether what the directories are like that sources name counts: COPY takes only what is
             in them
    """
    find = find_with_parents if parents else find_source
    prints: dict[str, str] = {}
    for source in sources:
        for found in find(root, source, selection.ignore):
            for entry in selection.walk(root, found):
                name = f"{found.asked}/{entry.relative}".strip("/")
                is_top = not entry.relative and stat.S_ISDIR(entry.info.st_mode)
                bare = is_top and not tops
                prints[name or "."] = "/" if bare else _print(entry, owners, file_digest)
    return prints


def _print(entry: Entry, owners: bool, file_digest: FileDigest) -> str:
    info = entry.info
    kind = stat.S_IFMT(info.st_mode)
    owner = f"{info.st_uid}:{info.st_gid}" if owners else ""
    if kind == stat.S_IFREG:
        data = file_digest(entry)
    elif kind == stat.S_IFLNK:
        data = entry.read_link()
    else:
        data = str(info.st_rdev) if kind in (stat.S_IFCHR, stat.S_IFBLK) else ""
    return f"{info.st_mode:o} {owner} {data}"


def read_file_digest(entry: Entry) -> str:
    """sha256 over a file's data and those attributes that a copy keeps."""
    fd = entry.open()
    try:
        digest = hashlib.sha256()
        while chunk := os.read(fd, _CHUNK_BYTES):
            digest.update(chunk)
        for name in sorted(os.listxattr(fd)):
            if name.startswith(KEPT_XATTRS):
                digest.update(f"\0{name}\0".encode() + os.getxattr(fd, name))
        return digest.hexdigest()
    finally:
        os.close(fd)
