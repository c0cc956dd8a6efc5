"""What files take on the disk, as du(1) counts it."""

from __future__ import annotations

import os
import stat

_BLOCK_BYTES = 512  # of st_blocks, whatever the filesystem's


def disk_bytes(path: str) -> int:
    """Of a file, or of a directory with all below it; a file with several links once. 0 for what
    is not there, also for what goes meanwhile."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return 0
    total = found.st_blocks
    if stat.S_ISDIR(found.st_mode):
        linked: dict[tuple[int, int], int] = {}
        total += _below(path, linked) + sum(linked.values())
    return total * _BLOCK_BYTES


def _below(path: str, linked: dict[tuple[int, int], int]) -> int:
    """Blocks of all that is in a directory, without the files that have several links."""
    blocks, directories = 0, [path]
    while directories:
        try:
            entries = os.scandir(directories.pop())
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(found.st_mode):
                    directories.append(entry.path)
                elif found.st_nlink > 1:
                    linked[found.st_dev, found.st_ino] = found.st_blocks
                    continue
                blocks += found.st_blocks
    return blocks
