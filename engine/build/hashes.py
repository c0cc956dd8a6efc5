"""Digests of files that are remembered from build to build, so that what has not changed is not
read again."""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
import tempfile
import time
from typing import TYPE_CHECKING

from engine.build.measure import read_file_digest

if TYPE_CHECKING:
    from engine.build.tree import Entry

    Mark = tuple[int, int, int]

# Two writes within one tick of the kernel's clock leave the same times: a file that was changed
# so recently may change again unseen. Some filesystems have whole seconds alone, or every other.
_TICK_NS, _COARSE_TICK_NS = 20_000_000, 2_000_000_000


class FileDigests:
    """Digests by device and inode, valid while (size, mtime, ctime) are the same. One file per
    context, which keeps no more strangers than files that the context still has."""

    def __init__(self, directory: str, context: str) -> None:
        name = hashlib.sha256(os.fsencode(context)).hexdigest()[:32]
        self._path = os.path.join(directory, name)
        self._known: dict[tuple[int, int], tuple[Mark, str]] = {}
        self._seen: set[tuple[int, int]] = set()
        self._changed = False
        with contextlib.suppress(OSError, ValueError, EOFError), open(self._path, "rb") as file:
            self._known = marshal.loads(file.read())  # JSON takes four times as long

    def __call__(self, entry: Entry) -> str:
        """The digest of a regular file that a walk is at."""
        info = entry.info
        key = info.st_dev, info.st_ino
        mark = info.st_size, info.st_mtime_ns, info.st_ctime_ns
        self._seen.add(key)
        known = self._known.get(key)
        if known is not None and known[0] == mark:
            return known[1]
        before_ns = time.time_ns()
        digest = read_file_digest(entry)
        if _is_settled(info, before_ns):
            self._known[key] = mark, digest
            self._changed = True
        return digest

    def save(self) -> None:
        """Write down what was learnt."""
        if not self._changed:
            return
        if len(self._known) > 2 * len(self._seen):
            self._known = {key: self._known[key] for key in self._seen & self._known.keys()}
        directory = os.path.dirname(self._path)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        fd, half = tempfile.mkstemp(dir=directory)  # builds of one context run side by side
        with os.fdopen(fd, "wb") as file:
            marshal.dump(self._known, file)
        os.replace(half, self._path)
        self._changed = False


def _is_settled(info: os.stat_result, now_ns: int) -> bool:
    tick_ns = _TICK_NS if info.st_ctime_ns % 1_000_000_000 else _COARSE_TICK_NS
    return max(info.st_mtime_ns, info.st_ctime_ns) < now_ns - tick_ns
