"""Docker's `local`: protobuf messages, each between its length and its length (engine.md C4.1).

    message LogEntry {
        string source = 1;  int64 time_nano = 2;  bytes line = 3;  bool partial = 4;
        PartialLogEntryMetadata partial_log_metadata = 5;  // bool last, string id, int32 ordinal
    }

The length of the message, four bytes with the highest first, stands before and after it. Source:
moby, api/types/plugins/logdriver/entry.proto and daemon/logger/local.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.containers.logs.line import LogLine

FILE_NAME = "local-logs/container.log"
LONGEST_BYTES = 1 << 20  # of an entry: one that claims more is none
_LENGTH = struct.Struct(">I")
_SOURCE, _TIME, _LINE, _PARTIAL = 0x0A, 0x10, 0x1A, 0x20  # field number and wire type
_METADATA = 0x2A


class Local:
    """Entries say how long they are, before and after."""

    def encode(self, stream: str, text: bytes, at_ns: int, *, part: int = 0) -> bytes:
        """Entries for whole lines, or one for part number `part` of a line."""
        source = stream.encode()
        head = b"%c%c%s%c%s%c" % (_SOURCE, len(source), source, _TIME, _varint(at_ns), _LINE)
        if part:
            metadata = _metadata(at_ns, part, last=text.endswith(b"\n"))
            return _frame(head, text.removesuffix(b"\n"), metadata)
        entries: list[bytes] = []
        frames: dict[int, tuple[bytes, bytes]] = {}  # what is around a line of so many bytes
        for line in text[:-1].split(b"\n"):
            size = len(line)
            if size not in frames:
                before = head + _varint(size)
                length = _LENGTH.pack(len(before) + size)
                frames[size] = length + before, length
            before, after = frames[size]
            entries += (before, line, after)
        return b"".join(entries)

    def boundary(self, data: bytes, at: int) -> int:
        """Where the entry ends that holds the byte at `at`."""
        end = 0
        while end <= at:
            end += _LENGTH.unpack_from(data, end)[0] + 2 * _LENGTH.size
        return end


def _metadata(began_ns: int, part: int, *, last: bool) -> bytes:
    """By which the parts of a line are known to belong together."""
    name = b"%x" % began_ns
    inner = (b"\x08\x01" if last else b"") + b"\x12%c%s\x18%s" % (len(name), name, _varint(part))
    return b"%c\x01%c%c%s" % (_PARTIAL, _METADATA, len(inner), inner)


def _frame(head: bytes, line: bytes, metadata: bytes) -> bytes:
    message = head + _varint(len(line)) + line + metadata
    length = _LENGTH.pack(len(message))
    return length + message + length


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def decode(block: bytes) -> tuple[list[LogLine], bytes]:
    """The entries that are whole, and the rest of the block. Nothing after what is no entry."""
    from engine.containers.logs.line import LogLine
    from engine.containers.logs.stamps import Clock

    clock = Clock()
    lines: list[LogLine] = []
    at = 0
    while at + _LENGTH.size <= len(block):
        (size,) = _LENGTH.unpack_from(block, at)
        end = at + size + 2 * _LENGTH.size
        if size > LONGEST_BYTES:
            return lines, b""
        if end > len(block):
            break
        message = block[at + _LENGTH.size : end - _LENGTH.size]
        fields = dict(_fields(message))
        at = end
        stamp = clock.stamp(int(fields.get(_TIME, 0))).decode()
        source, text = fields.get(_SOURCE, b""), fields.get(_LINE, b"")
        assert isinstance(source, bytes)  # by its wire type, and so is the text
        assert isinstance(text, bytes)
        partial = bool(fields.get(_PARTIAL)) and not _is_last(fields.get(_METADATA, b""))
        lines.append(LogLine(stamp, source.decode("ascii", "replace"), text, partial))
    return lines, block[at:]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number and wire type, value) of each field: a number, or bytes."""
    at = 0
    while at < len(message):
        key = message[at]
        value, at = _read_varint(message, at + 1)
        if key & 7 == 2:  # the value is a length
            yield key, message[at : at + value]
            at += value
        else:
            yield key, value


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends)."""
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, at


def _is_last(metadata: int | bytes) -> bool:
    """Docker marks the last part of a line as partial too, and says so here."""
    return isinstance(metadata, bytes) and dict(_fields(metadata)).get(0x08) == 1
