"""Finding the last entries of a log without reading all of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.containers.logs.local import LENGTH

if TYPE_CHECKING:
    from typing import BinaryIO

_BLOCK_BYTES = 1 << 16


def seek_to_last_lines(stream: BinaryIO, count: int) -> int:
    """Where the last `count` lines begin, there the stream is afterwards. How many there are."""
    position, found = stream.seek(0, os.SEEK_END), 0
    while position > 0:
        begin = max(0, position - _BLOCK_BYTES)
        stream.seek(begin)
        block = stream.read(position - begin)
        newlines = block.count(b"\n")
        if found + newlines > count:  # the end of the line before them is in this block
            at = len(block)
            for _ in range(count + 1 - found):
                at = block.rindex(b"\n", 0, at)
            stream.seek(begin + at + 1)
            return count
        found, position = found + newlines, begin
    stream.seek(0)
    return found


def seek_to_last_frames(stream: BinaryIO, count: int) -> int:
    """The same of a file of `local`: each entry ends with its length."""
    position, found = stream.seek(0, os.SEEK_END), 0
    while found < count and position >= 2 * LENGTH.size:
        stream.seek(position - LENGTH.size)
        (size,) = LENGTH.unpack(stream.read(LENGTH.size))
        if size + 2 * LENGTH.size > position:  # this is no end of an entry
            position = 0
            break
        position, found = position - size - 2 * LENGTH.size, found + 1
    stream.seek(position)
    return found
