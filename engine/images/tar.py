"""Reading tar archives as a stream: ustar, GNU and PAX headers, strictly.

The standard library's reader stops at a damaged header as if the archive ended there, and accepts
more than the format has; a layer must be read whole or refused. Standard library only: the
confined unpacker imports this.

Source: POSIX.1-2008 pax; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files".
"""

from __future__ import annotations

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
_MOST_EXTENTS = 1_000_000
_ZEROS = bytes(BLOCK)
_XATTR = b"SCHILY.xattr."


class BadArchive(Exception):
    """The stream is not a tar archive that can be read to its end."""


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
            size = _number(block[124:136])
            if kind in b"xg":
                records = list(_records(self._extension(size)))
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
            _check_extents(entry)
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
        expected = _number(block[148:156])
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
        entry.length = _number(block[483:495])
        extents = _sparse_pairs(block[386:482])
        more = block[482]
        while more:
            block = self._read(BLOCK)
            if len(block) < BLOCK or len(extents) > _MOST_EXTENTS:
                raise BadArchive("the map of a sparse file does not end")
            extents += _sparse_pairs(block[:504])
            more = block[504]
        entry.extents = extents

    def _pax_sparse(
        self, entry: Entry, records: list[tuple[bytes, bytes]], pax: dict[bytes, bytes]
    ) -> None:
        """Formats 0.0 (repeated records), 0.1 (one record) and 1.0 (before the data)."""
        entry.name = pax.get(b"GNU.sparse.name", entry.name)
        length = pax.get(b"GNU.sparse.realsize", pax.get(b"GNU.sparse.size"))
        entry.length = entry.size if length is None else _decimal(length)
        if pax.get(b"GNU.sparse.major") == b"1":
            entry.extents = self._map_in_data(entry)
        elif b"GNU.sparse.map" in pax:
            numbers = [_decimal(word) for word in pax[b"GNU.sparse.map"].split(b",")]
            entry.extents = _pairs(numbers)
        else:
            keys = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
            entry.extents = _pairs([_decimal(value) for key, value in records if key in keys])

    def _map_in_data(self, entry: Entry) -> list[tuple[int, int]]:
        """Decimal lines, their count first, padded to whole blocks."""
        text = b""
        numbers: list[int] = []
        count = None
        while count is None or len(numbers) < 2 * count:
            block = self._read(BLOCK)
            if len(block) < BLOCK or self._left < BLOCK or len(numbers) > 2 * _MOST_EXTENTS:
                raise BadArchive("the map of a sparse file does not end")
            self._left -= BLOCK
            entry.size -= BLOCK
            *lines, text = (text + block).split(b"\n")
            numbers += [_decimal(line) for line in lines if line]
            if count is None and numbers:
                count = numbers.pop(0)
        return _pairs(numbers[: 2 * count])


def _entry(
    block: bytes, kind: bytes, size: int, long_name: bytes | None, long_link: bytes | None
) -> Entry:
    name = _text(block[0:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = _text(block[345:500]) + b"/" + name
    name = long_name if long_name is not None else name
    if kind not in _KNOWN:
        raise BadArchive(f"{_shown(name)} is of the unknown type {kind!r}")
    if kind in _REGULAR:
        kind = DIRECTORY if kind == b"\0" and name.endswith(b"/") else FILE
    if size < 0:
        raise BadArchive(f"{_shown(name)} has a negative size")
    entry = Entry(name, kind)
    entry.size = entry.length = size if kind == FILE else 0
    entry.mode = _number(block[100:108]) & 0o7777
    entry.uid, entry.gid = _number(block[108:116]), _number(block[116:124])
    entry.mtime_ns = _number(block[136:148]) * 1_000_000_000
    entry.link = long_link if long_link is not None else _text(block[157:257])
    if kind in (CHARACTER, BLOCK_DEVICE):
        entry.device = _number(block[329:337]), _number(block[337:345])
    return entry


def _apply(entry: Entry, pax: dict[bytes, bytes]) -> None:
    """What PAX records say wins over the header."""
    for key, value in pax.items():
        if not value and not key.startswith(_XATTR):  # takes an earlier record back
            continue
        if key == b"path":
            entry.name = value
        elif key == b"linkpath":
            entry.link = value
        elif key == b"size" and entry.type == FILE:
            entry.size = entry.length = _decimal(value)
        elif key == b"uid":
            entry.uid = _decimal(value)
        elif key == b"gid":
            entry.gid = _decimal(value)
        elif key == b"mtime":
            entry.mtime_ns = _nanoseconds(value)
        elif key.startswith(_XATTR):
            entry.xattrs[key[len(_XATTR) :]] = value


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """`<length> <key>=<value>\\n` each."""
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        length = _decimal(data[position:space]) if space > 0 else 0
        record = data[space + 1 : position + length]
        key, equals, value = record[:-1].partition(b"=")
        whole = position + length <= len(data) and record[-1:] == b"\n"
        if not whole or not equals or not key or b"\0" in key:
            raise BadArchive("a PAX record is malformed")
        if b"\0" in value and not key.startswith(_XATTR):
            raise BadArchive(f"the PAX record {_shown(key)} contains a NUL")
        yield key, value
        position += length


def _number(field: bytes) -> int:
    """Octal text, or base 256 where the first bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ~(1 << (8 * len(field) - 1))
        if field[0] & 0x40:  # negative, in two's complement
            value -= 1 << (8 * len(field) - 1)
        return value
    text = field.split(b"\0")[0].strip(b" ")
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise BadArchive(f"{text!r} is not an octal number")
    return int(text, 8)


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise BadArchive(f"{text[:40]!r} is not a number")
    return int(text)


def _nanoseconds(text: bytes) -> int:
    """`-1.5` -> -1_500_000_000."""
    whole, _, fraction = text.partition(b".")
    negative = whole.startswith(b"-")
    seconds = _decimal(whole.lstrip(b"-") or b"0")
    nanoseconds = seconds * 1_000_000_000 + _decimal(fraction[:9].ljust(9, b"0"))
    return -nanoseconds if negative else nanoseconds


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _sparse_pairs(data: bytes) -> list[tuple[int, int]]:
    pairs = []
    for start in range(0, len(data) - 23, 24):
        if data[start] == 0:
            break
        pairs.append((_number(data[start : start + 12]), _number(data[start + 12 : start + 24])))
    return pairs


def _pairs(numbers: list[int]) -> list[tuple[int, int]]:
    if len(numbers) % 2:
        raise BadArchive("the map of a sparse file has an odd number of numbers")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _check_extents(entry: Entry) -> None:
    end = 0
    for offset, size in entry.extents or ():
        if offset < end or size < 0:
            raise BadArchive(f"the map of the sparse file {_shown(entry.name)} is not in order")
        end = offset + size
    if end > entry.length or sum(size for _, size in entry.extents or ()) != entry.size:
        raise BadArchive(f"the map of the sparse file {_shown(entry.name)} does not fit its data")


def _shown(name: bytes) -> str:
    return repr(name.decode(errors="backslashreplace"))
