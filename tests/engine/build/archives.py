"""Tar archives with files of a test's own."""

from __future__ import annotations

import io
import tarfile
from typing import Literal

ArchiveMode = Literal["w", "w:gz", "w:bz2", "w:xz"]


def archive(members: dict[str, str], mode: ArchiveMode) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.uid, entry.mtime = 0o640, 77, 1_000_000_000
            if text.startswith("->"):
                entry.type, entry.linkname = tarfile.SYMTYPE, text[2:]
                tar.addfile(entry)
            else:
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()
