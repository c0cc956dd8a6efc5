"""gzip by threads: others can read it, and it is the same each time."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine.images.compress import gzipped
from engine.images.decompress import decompressed

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512 * 1024


def text(size: int) -> bytes:
    """Something that compresses, with repeats that reach from block to block."""
    words = [random.Random(1).randbytes(12) for _ in range(500)]
    chosen = random.Random(2).choices(words, k=size // 12 + 1)
    return b"".join(chosen)[:size]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 12_345])
def test_everybody_reads_it(size: int) -> None:
    data = text(size)
    packed = b"".join(gzipped(pieces(data, 100_000)))
    assert gzip.decompress(packed) == data
    assert b"".join(decompressed(iter([packed]))) == data
    done = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True)
    assert done.stdout == data


def test_the_same_content_is_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = text(4 * BLOCK + 99)
    packed = b"".join(gzipped(pieces(data, 1_000_000)))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert b"".join(gzipped(pieces(data, 7_777))) == packed
    assert len(packed) < len(gzip.compress(data, 3)) * 1.02


def test_what_cannot_be_read_ends_it() -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(3 * BLOCK)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(gzipped(broken()))
