"""Digests of files that are remembered from build to build, so that what has not changed is not
read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from typing import TYPE_CHECKING

from engine.build.measure import read_file_digest

if TYPE_CHECKING:
    from engine.build.tree import Entry

# Two writes within one tick of the kernel's clock leave the same times: a file that was changed
# so recently may change again unseen.
_TICK_NS = 20_000_000


class FileDigests:
    """Digests by inode, valid while (size, mtime, ctime) are the same. One file per context."""

    def __init__(self, directory: str, context: str) -> None:
        name = hashlib.sha256(os.fsencode(context)).hexdigest()[:32]
        self._path = os.path.join(directory, f"{name}.json")
        self._known: dict[str, list[object]] = {}
        self._changed = False
        with contextlib.suppress(OSError, ValueError), open(self._path, encoding="ascii") as file:
            self._known = json.load(file)

    def __call__(self, root: int, entry: Entry) -> str:
        """The digest of a regular file below the descriptor `root`."""
        info = entry.info
        key = f"{info.st_dev}:{info.st_ino}"
        mark = [info.st_size, info.st_mtime_ns, info.st_ctime_ns]
        known = self._known.get(key)
        if known is not None and known[:3] == mark:
            return str(known[3])
        before_ns = time.time_ns()
        digest = read_file_digest(root, entry)
        if max(info.st_mtime_ns, info.st_ctime_ns) < before_ns - _TICK_NS:
            self._known[key] = [*mark, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Write down what was learnt."""
        if not self._changed:
            return
        directory = os.path.dirname(self._path)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        fd, half = tempfile.mkstemp(dir=directory)  # builds of one context run side by side
        with os.fdopen(fd, "w", encoding="ascii") as file:
            json.dump(self._known, file)
        os.replace(half, self._path)
        self._changed = False
