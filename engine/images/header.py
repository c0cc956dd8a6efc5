"""Headers of tar members, in the pax form of POSIX.1-2001.

The same bytes with every release of Python: digests of layers depend on them, and `tarfile` has
changed what it writes into fields that do not matter. It also takes five times as long.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK = 512
FILE, LINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_EXTENDED = b"x"
_NAME_BYTES = 100
_MOST_ID, _MOST_SIZE = 0o7777777, 0o77777777777
_MAGIC = b"ustar\x0000" + bytes(64)  # and the names of owner and group, which are left out
_REST = bytes(155 + 12)


def tar_header(
    name: bytes,
    kind: bytes,
    *,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    device: tuple[int, int] = (0, 0),
    xattrs: Mapping[bytes, bytes] = {},
) -> bytes:
    """The header of one member; what its fields cannot hold goes before it, as pax records.

    mtime   whole seconds
    device  major and minor number, of a character or block device
    """
    records: dict[bytes, bytes] = {}
    if len(name) > _NAME_BYTES or not name.isascii():
        records[b"path"] = name
    if len(link) > _NAME_BYTES or not link.isascii():
        records[b"linkpath"] = link
    uid = _fitting(records, b"uid", uid, _MOST_ID)
    gid = _fitting(records, b"gid", gid, _MOST_ID)
    size = _fitting(records, b"size", size, _MOST_SIZE)
    mtime = _fitting(records, b"mtime", mtime, _MOST_SIZE)
    for key in sorted(xattrs):
        records[b"SCHILY.xattr." + key] = xattrs[key]
    numbers = b"%07o\0%07o\0" % device if kind in (CHARACTER, DEVICE) else bytes(16)
    own = _block(name[:_NAME_BYTES], kind, (mode, uid, gid, size, mtime), link, numbers)
    return _extension(records) + own if records else own


def _fitting(records: dict[bytes, bytes], key: bytes, value: int, most: int) -> int:
    """What the field says; a value that it cannot hold becomes a record."""
    if 0 <= value <= most:
        return value
    records[key] = b"%d" % value
    return 0


def _block(
    name: bytes,
    kind: bytes,
    numbers: tuple[int, int, int, int, int],
    link: bytes = b"",
    device: bytes = bytes(16),
) -> bytes:
    begin = name.ljust(_NAME_BYTES, b"\0") + b"%07o\0%07o\0%07o\0%011o\0%011o\0" % numbers
    end = kind + link[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0") + _MAGIC + device
    checksum = sum(begin) + sum(end) + 8 * 0x20  # its own field counts as blanks
    return begin + b"%06o\0 " % checksum + end + _REST


def _extension(records: Mapping[bytes, bytes]) -> bytes:
    data = b"".join(_record(key, value) for key, value in records.items())
    try:
        data.decode()
    except UnicodeDecodeError:
        data = _record(b"hdrcharset", b"BINARY") + data
    head = _block(b"././@PaxHeader", _EXTENDED, (0, 0, 0, len(data), 0))
    return head + data + bytes(-len(data) % BLOCK)


def _record(key: bytes, value: bytes) -> bytes:
    """`<length> key=value`, with a length that counts itself."""
    rest = len(key) + len(value) + 3
    length = rest
    while length != rest + len(str(length)):
        length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)
