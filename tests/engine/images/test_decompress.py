"""Compressed streams: all of their members, and nothing that is damaged, short or a bomb."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sys
from typing import TYPE_CHECKING

import pytest
import zstandard

from engine.errors import ImageProblem
from engine.images.decompress import decompressed

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = os.urandom(5000) + b"text" * 100_000
COMPRESSORS = [gzip.compress, zstandard.compress, bz2.compress, lzma.compress]
NAMES = ["gzip", "zstd", "bzip2", "xz"]


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def inflating(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what inflates faster, and without it."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    else:
        pytest.importorskip("isal")


def all_of(data: bytes, piece_bytes: int = 1 << 20) -> bytes:
    pieces = (data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes))
    return b"".join(decompressed(pieces))


@pytest.mark.parametrize("compress", COMPRESSORS, ids=NAMES)
@pytest.mark.parametrize("piece_bytes", [7, 1 << 20])
def test_all_members_are_read_wherever_the_pieces_are_cut(
    compress: Callable[[bytes], bytes], piece_bytes: int
) -> None:
    data = compress(CONTENT) + compress(b"") + compress(b"more")
    assert all_of(data, piece_bytes) == CONTENT + b"more"


@pytest.mark.parametrize("compress", COMPRESSORS, ids=NAMES)
def test_a_flipped_bit_is_found(compress: Callable[[bytes], bytes]) -> None:
    data = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(CONTENT))
    if compress is not zstandard.compress:
        data = bytearray(compress(CONTENT))
    data[2000] ^= 1
    with pytest.raises(ImageProblem, match="cannot be decompressed") as caught:
        all_of(bytes(data))
    assert caught.value.code == "invalid-layer"


@pytest.mark.parametrize("cut", [11, 2000, -9, -1])
@pytest.mark.parametrize("compress", COMPRESSORS, ids=NAMES)
def test_an_early_end_is_found(compress: Callable[[bytes], bytes], cut: int) -> None:
    with pytest.raises(ImageProblem, match="ends early") as caught:
        all_of(compress(CONTENT)[:cut])
    assert caught.value.code == "invalid-layer"
