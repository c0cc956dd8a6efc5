"""Decompression of layers as a stream, by what the bytes are and not by what they are called."""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.errors import ImageProblem

if TYPE_CHECKING:
    from bz2 import BZ2Decompressor
    from collections.abc import Callable, Iterator
    from lzma import LZMADecompressor

GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a first byte of 0x50 to 0x5f
_BZIP2 = b"BZh"
_XZ = b"\xfd7zXZ\x00"
_PIECE_BYTES = 1024 * 1024
_READ_BYTES = 64 * 1024  # little, since each of many small members copies what follows it
_ZSTD_SLICE_BYTES = 4096
_XZ_MEMORY_BYTES = 256 * 1024 * 1024
_GZIP_HEADER = 16 + zlib.MAX_WBITS
_RATIO = 2000  # gzip cannot exceed 1032
_RATIO_FROM_BYTES = 1 << 32  # what unpacks to less is let through whatever its ratio


def decompressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The content of a stream that is gzip, zstd, bzip2, xz or not compressed at all.

    All members or frames are read: eStargz and zstd:chunked write many. What follows the last
    member of a gzip stream and is not another is ignored, as gzip does; the stream is read to its
    end in any case. Raises ImageProblem on damage, an early end, or a ratio only a bomb has.
    """
    source = _Source(pieces)
    given = 0
    try:
        for piece in _opened(source):
            given += len(piece)
            if given > _RATIO_FROM_BYTES and given > _RATIO * source.taken:
                raise _damaged(f"{source.taken} bytes unpack to more than {given}")
            yield piece
        while source.read(_PIECE_BYTES):
            pass
    except (EOFError, OSError, ValueError) as error:
        raise _damaged(str(error)) from None


def is_zstd(magic: bytes) -> bool:
    """Whether data that begins with these four bytes or more is of zstd."""
    return magic.startswith(_ZSTD) or (magic[1:4] == _ZSTD_SKIPPABLE and magic[0] & 0xF0 == 0x50)


class _Source:
    """Pieces as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self.taken = 0

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer than `count` only at the end."""
        while len(self._buffer) < count and (piece := next(self._pieces, None)) is not None:
            self._buffer += piece
        return self._buffer[:count]

    def read(self, count: int) -> bytes:
        """Some bytes, at most `count`; none at the end."""
        while not self._buffer:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._buffer = piece
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        self.taken += len(data)
        return data


def _opened(source: _Source) -> Iterator[bytes]:
    magic = source.peek(6)
    if magic.startswith(GZIP):
        return _gzip(source)
    if is_zstd(magic):
        return _zstd(source)
    if magic.startswith(_BZIP2):
        import bz2

        return _streams(bz2.BZ2Decompressor, source)
    if magic == _XZ:
        return _xz(source)
    return iter(lambda: source.read(_PIECE_BYTES), b"")


def _gzip(source: _Source) -> Iterator[bytes]:
    inflate = _inflate()
    member = inflate.decompressobj(_GZIP_HEADER)
    data = source.read(_READ_BYTES)
    while data:
        try:
            piece = member.decompress(data, _PIECE_BYTES)
        except inflate.error as error:
            raise ValueError(str(error)) from None
        if piece:
            yield piece
        if member.eof:
            data = (member.unused_data or source.read(_READ_BYTES)).lstrip(b"\0")
            if len(data) < len(GZIP):
                data += source.read(_READ_BYTES)
            if not data.startswith(GZIP):
                return
            member = inflate.decompressobj(_GZIP_HEADER)
        else:
            data = member.unconsumed_tail or source.read(_READ_BYTES)
    raise EOFError("the compressed data ends early")


def _inflate() -> Any:
    """zlib, or what has its interface and takes a third of its time, where that is installed."""
    try:
        return import_module("isal.isal_zlib")  # of `buoy[fast]`
    except ImportError:
        return zlib


def _zstd(source: _Source) -> Iterator[bytes]:
    """Frame by frame: what reads across frames by itself does not tell an early end."""
    import zstandard

    decompressor = zstandard.ZstdDecompressor()
    frame = None
    try:
        for data in _sliced(source):
            while data:
                frame = frame or decompressor.decompressobj()
                if piece := frame.decompress(data):
                    yield piece
                data = b""
                if frame.eof:
                    data, frame = frame.unused_data, None
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    if frame is not None:
        raise EOFError("the compressed data ends early")


def _sliced(source: _Source) -> Iterator[bytes]:
    """All of the source in slices so small that none of them unpacks to more than 128 MiB."""
    while piece := source.read(_PIECE_BYTES):
        for start in range(0, len(piece), _ZSTD_SLICE_BYTES):
            yield piece[start : start + _ZSTD_SLICE_BYTES]


def _xz(source: _Source) -> Iterator[bytes]:
    import lzma

    try:
        yield from _streams(lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES), source)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from None


def _streams(
    make: Callable[[], BZ2Decompressor | LZMADecompressor], source: _Source
) -> Iterator[bytes]:
    stream = make()
    data = source.read(_READ_BYTES)
    while True:
        if piece := stream.decompress(data, _PIECE_BYTES):
            yield piece
        data = b""
        if stream.eof:
            data = stream.unused_data or source.read(_READ_BYTES)
            if not data:
                return
            stream = make()
        elif stream.needs_input:
            data = source.read(_READ_BYTES)
            if not data:
                raise EOFError("the compressed data ends early")


def _damaged(why: str) -> ImageProblem:
    return ImageProblem(f"the data cannot be decompressed: {why}", code="invalid-layer")
