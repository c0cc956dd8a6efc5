"""Full log files are compressed by a child of the monitor: neither its time nor its memory."""

from __future__ import annotations

import contextlib
import os
import struct

from engine.kernel.process import close_from

BLOCK_BYTES = 1 << 16
_HEADER = struct.Struct("<4sIBBH2sHQQ")  # RFC 1952, with an extra field of ours
_MAGIC = b"\x1f\x8b\x08\x04"
_OURS = b"Bu"
_NICE = 10


class Compressor:
    """One file at a time: while one is being compressed, the names must not move."""

    def __init__(self) -> None:
        self._child = 0

    def compress(self, path: str) -> None:
        """`path` becomes `path`.gz, later. Readers that have it open are not disturbed."""
        self.wait()
        self._child = os.fork()
        if self._child == 0:
            try:
                close_from(3)
                os.nice(_NICE)
                _compress(path)
            finally:
                os._exit(0)

    def wait(self) -> None:
        """Until nothing is being compressed."""
        if self._child:
            with contextlib.suppress(ChildProcessError):  # it was reaped with the other children
                os.waitpid(self._child, 0)
            self._child = 0


def _compress(path: str) -> None:
    """To a temporary name first: what has the final one is whole."""
    import zlib

    temporary = f"{path}.gz.tmp"
    source_fd = os.open(path, os.O_RDONLY)
    target_fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        size = checksum = 0
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        os.write(target_fd, _header(os.fstat(source_fd)))
        while block := os.read(source_fd, BLOCK_BYTES):
            size, checksum = size + len(block), zlib.crc32(block, checksum)
            _write(target_fd, packer.compress(block))
        _write(target_fd, packer.flush() + struct.pack("<II", checksum, size & 0xFFFFFFFF))
        os.rename(temporary, f"{path}.gz")
        os.unlink(path)
    except OSError:
        os.unlink(temporary)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _header(original: os.stat_result) -> bytes:
    """Of a gzip file; it keeps which file this was, for readers that had got halfway."""
    return _HEADER.pack(_MAGIC, 0, 0, 255, 20, _OURS, 16, original.st_ino, original.st_mtime_ns)


def original_of(path: str) -> tuple[int, int] | None:
    """Inode and time of the last change, in nanoseconds, of the file that was compressed into this
    one; None if we did not. The inode alone may be another's by now."""
    with open(path, "rb") as file:
        found = file.read(_HEADER.size)
    if len(found) < _HEADER.size or not found.startswith(_MAGIC):
        return None
    *_, ours, _, inode, changed_ns = _HEADER.unpack(found)
    return (int(inode), int(changed_ns)) if ours == _OURS else None
