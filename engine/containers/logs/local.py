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

FILE_NAME = "local-logs/container.log"
LENGTH = struct.Struct(">I")
SOURCE, TIME, LINE, PARTIAL = 0x0A, 0x10, 0x1A, 0x20  # field number and wire type
METADATA = 0x2A


class Local:
    """Entries say how long they are, before and after."""

    def encode(self, stream: str, text: bytes, at_ns: int, *, part: int = 0) -> bytes:
        """Entries for whole lines, or one for part number `part` of a line."""
        source = stream.encode()
        head = b"%c%c%s%c%s%c" % (SOURCE, len(source), source, TIME, varint(at_ns), LINE)
        if part:
            metadata = _metadata(at_ns, part, last=text.endswith(b"\n"))
            return _frame(head, text.removesuffix(b"\n"), metadata)
        entries: list[bytes] = []
        frames: dict[int, tuple[bytes, bytes]] = {}  # what is around a line of so many bytes
        for line in text[:-1].split(b"\n"):
            size = len(line)
            if size not in frames:
                before = head + varint(size)
                length = LENGTH.pack(len(before) + size)
                frames[size] = length + before, length
            before, after = frames[size]
            entries += (before, line, after)
        return b"".join(entries)

    def boundary(self, data: bytes, at: int) -> int:
        """Where the entry ends that holds the byte at `at`."""
        end = 0
        while end <= at:
            end += LENGTH.unpack_from(data, end)[0] + 2 * LENGTH.size
        return end


def _metadata(began_ns: int, part: int, *, last: bool) -> bytes:
    """By which the parts of a line are known to belong together."""
    name = b"%x" % began_ns
    inner = (b"\x08\x01" if last else b"") + b"\x12%c%s\x18%s" % (len(name), name, varint(part))
    return b"%c\x01%c%c%s" % (PARTIAL, METADATA, len(inner), inner)


def _frame(head: bytes, line: bytes, metadata: bytes) -> bytes:
    message = head + varint(len(line)) + line + metadata
    length = LENGTH.pack(len(message))
    return length + message + length


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
