"""Reading tar archives as a stream: ustar, GNU and PAX headers, strictly.

The standard library's reader stops at a damaged header as if the archive ended there, and accepts
more than the format has; a layer must be read whole or refused. Standard library only: the
confined unpacker imports this.

Source: POSIX.1-2008 pax; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files".
"""

from __future__ import annotations

from engine.images.fields import (
    XATTR,
    BadArchive,
    parse_decimal,
    parse_nanoseconds,
    parse_number,
    parse_records,
    shown,
    text_of,
)
from engine.images.sparse import MOST_EXTENTS, check_extents, fixed_pairs, pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 512
FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = (
    b"0",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
)
_REGULAR = {b"0", b"\0", b"7", b"S"}
_KNOWN = _REGULAR | {HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO}
_LARGEST_EXTENSION = 1024 * 1024  # PAX and GNU headers of one member; each, in Go's archive/tar
_ZEROS = bytes(BLOCK)


class Entry:
    """One member. Names are bytes; times are nanoseconds since the epoch.

    size     of the data in the archive, in bytes
    length   of the file: larger than `size` where `holes` says so
    extents  of a sparse file: (offset, bytes) of each piece of data, in order; None: all of it
    """

    __slots__ = (
        *("device", "extents", "gid", "length", "link", "mode", "mtime_ns"),
        *("name", "size", "type", "uid", "xattrs"),
    )

    def __init__(self, name: bytes, kind: bytes) -> None:
        self.name = name
        self.type = kind
        self.mode = self.uid = self.gid = self.size = self.length = self.mtime_ns = 0
        self.link = b""
        self.device = (0, 0)
        self.xattrs: dict[bytes, bytes] = {}
        self.extents: list[tuple[int, int]] | None = None


class TarReader:
    """The members of a tar stream, one after the other.

    `read(n)` returns n bytes, fewer only at the end of the stream. The data of a member must be
    taken through `data()` before the next member is asked for, or it is skipped.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._left = 0  # bytes of the present member not read yet
        self._padding = 0
        self._extended = 0  # bytes of extended headers of the present member

    def __iter__(self) -> Iterator[Entry]:
        while (entry := self._next()) is not None:
            yield entry

    def data(self, chunk_bytes: int = 1024 * 1024) -> Iterator[bytes]:
        """The data of the present member, in pieces."""
        while self._left:
            piece = self._read(min(self._left, chunk_bytes))
            if not piece:
                raise BadArchive("it ends in the middle of a file")
            self._left -= len(piece)
            yield piece

    def drain(self) -> None:
        """Read on to the end of the stream: what follows the end mark is part of the digest."""
        while self._read(1024 * 1024):
            pass

    def _next(self) -> Entry | None:
        pax: dict[bytes, bytes] = {}
        sparse: list[tuple[bytes, bytes]] = []
        long_name = long_link = None
        self._extended = 0
        while True:
            block = self._header()
            if block is None:
                return None
            kind = block[156:157]
            size = parse_number(block[124:136])
            if kind in b"xg":
                records = list(parse_records(self._extension(size)))
                if kind == b"x":
                    pax.update(records)
                    sparse = [r for r in records if r[0].startswith(b"GNU.sparse.")]
            elif kind == b"L":
                long_name = self._extension(size).split(b"\0")[0]
            elif kind == b"K":
                long_link = self._extension(size).split(b"\0")[0]
            else:
                break
        entry = _entry(block, kind, size, long_name, long_link)
        _apply(entry, pax)
        self._start(entry)
        if kind == b"S":
            self._old_sparse(entry, block)
        elif sparse:
            self._pax_sparse(entry, sparse, pax)
        if entry.extents is not None:
            check_extents(entry)
        return entry

    def _header(self) -> bytes | None:
        for _ in self.data():
            pass
        if self._padding and len(self._read(self._padding)) < self._padding:
            raise BadArchive("it ends in the padding of a file")
        self._padding = 0
        block = self._read(BLOCK)
        if not block:
            return None
        if block == _ZEROS:
            self._end()
            return None
        if len(block) < BLOCK:
            raise BadArchive("it ends in the middle of a header")
        expected = parse_number(block[148:156])
        if sum(block) - sum(block[148:156]) + 8 * 32 != expected:
            raise BadArchive("a header has a wrong checksum")
        return block

    def _end(self) -> None:
        second = self._read(BLOCK)
        if second and second.strip(b"\0"):
            raise BadArchive("an empty block is followed by more members")

    def _start(self, entry: Entry) -> None:
        self._left = entry.size
        self._padding = -entry.size % BLOCK

    def _extension(self, size: int) -> bytes:
        self._extended += size
        if size < 0 or self._extended > _LARGEST_EXTENSION:
            raise BadArchive(f"a member has {self._extended} bytes of extended headers")
        data = self._read(size)
        padding = -size % BLOCK
        if len(data) < size or len(self._read(padding)) < padding:
            raise BadArchive("it ends in an extended header")
        return data

    def _old_sparse(self, entry: Entry, block: bytes) -> None:
        """The map in the header itself, and in blocks between it and the data."""
        entry.length = parse_number(block[483:495])
        extents = fixed_pairs(block[386:482])
        more = block[482]
        while more:
            block = self._read(BLOCK)
            if len(block) < BLOCK or len(extents) > MOST_EXTENTS:
                raise BadArchive("the map of a sparse file does not end")
            extents += fixed_pairs(block[:504])
            more = block[504]
        entry.extents = extents

    def _pax_sparse(
        self, entry: Entry, records: list[tuple[bytes, bytes]], pax: dict[bytes, bytes]
    ) -> None:
        """Formats 0.0 (repeated records), 0.1 (one record) and 1.0 (before the data)."""
        entry.name = pax.get(b"GNU.sparse.name", entry.name)
        length = pax.get(b"GNU.sparse.realsize", pax.get(b"GNU.sparse.size"))
        entry.length = entry.size if length is None else parse_decimal(length)
        if pax.get(b"GNU.sparse.major") == b"1":
            entry.extents = self._map_in_data(entry)
        elif b"GNU.sparse.map" in pax:
            numbers = [parse_decimal(word) for word in pax[b"GNU.sparse.map"].split(b",")]
            entry.extents = pairs(numbers)
        else:
            keys = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
            entry.extents = pairs([parse_decimal(value) for key, value in records if key in keys])

    def _map_in_data(self, entry: Entry) -> list[tuple[int, int]]:
        """Decimal lines, their count first, padded to whole blocks."""
        text = b""
        numbers: list[int] = []
        count = None
        while count is None or len(numbers) < 2 * count:
            block = self._read(BLOCK)
            if len(block) < BLOCK or self._left < BLOCK or len(numbers) > 2 * MOST_EXTENTS:
                raise BadArchive("the map of a sparse file does not end")
            self._left -= BLOCK
            entry.size -= BLOCK
            *lines, text = (text + block).split(b"\n")
            numbers += [parse_decimal(line) for line in lines if line]
            if count is None and numbers:
                count = numbers.pop(0)
        return pairs(numbers[: 2 * count])


def _entry(
    block: bytes, kind: bytes, size: int, long_name: bytes | None, long_link: bytes | None
) -> Entry:
    name = text_of(block[0:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = text_of(block[345:500]) + b"/" + name
    name = long_name if long_name is not None else name
    if kind not in _KNOWN:
        raise BadArchive(f"{shown(name)} is of the unknown type {kind!r}")
    if kind in _REGULAR:
        kind = DIRECTORY if kind == b"\0" and name.endswith(b"/") else FILE
    if size < 0:
        raise BadArchive(f"{shown(name)} has a negative size")
    entry = Entry(name, kind)
    entry.size = entry.length = size if kind == FILE else 0
    entry.mode = parse_number(block[100:108]) & 0o7777
    entry.uid, entry.gid = parse_number(block[108:116]), parse_number(block[116:124])
    entry.mtime_ns = parse_number(block[136:148]) * 1_000_000_000
    entry.link = long_link if long_link is not None else text_of(block[157:257])
    if kind in (CHARACTER, BLOCK_DEVICE):
        entry.device = parse_number(block[329:337]), parse_number(block[337:345])
    return entry


def _apply(entry: Entry, pax: dict[bytes, bytes]) -> None:
    """What PAX records say wins over the header."""
    for key, value in pax.items():
        if not value and not key.startswith(XATTR):  # takes an earlier record back
            continue
        if key == b"path":
            entry.name = value
        elif key == b"linkpath":
            entry.link = value
        elif key == b"size" and entry.type == FILE:
            entry.size = entry.length = parse_decimal(value)
        elif key == b"uid":
            entry.uid = parse_decimal(value)
        elif key == b"gid":
            entry.gid = parse_decimal(value)
        elif key == b"mtime":
            entry.mtime_ns = parse_nanoseconds(value)
        elif key.startswith(XATTR):
            entry.xattrs[key[len(XATTR) :]] = value
