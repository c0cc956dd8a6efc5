"""Taking a block of a log file apart: the entries that are whole, and the rest of the block.

For commands: the monitor only writes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.containers.logs.cri import HEAD_BYTES
from engine.containers.logs.line import LogLine
from engine.containers.logs.local import LENGTH, LINE, METADATA, PARTIAL, SOURCE, TIME
from engine.containers.logs.stamps import Clock, padded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Decode = Callable[[bytes], tuple[list[LogLine], bytes]]

_STREAMS = {b"stdout": "stdout", b"stderr": "stderr"}
_LONGEST_BYTES = 1 << 20  # of an entry of `local`: one that claims more is none


def decode_cri(block: bytes) -> tuple[list[LogLine], bytes]:
    """Lines; what is no entry is passed over."""
    lines: list[LogLine] = []
    stamp, stream, partial, known = "", "", False, b""
    *entries, rest = block.split(b"\n")
    for entry in entries:
        head = entry[:HEAD_BYTES]
        if head != known:
            words = head.split(b" ")
            if len(head) < HEAD_BYTES or len(words) != 4 or words[1] not in _STREAMS:
                continue
            known, stamp, stream = head, words[0].decode("ascii", "replace"), _STREAMS[words[1]]
            partial = words[2] == b"P"
        lines.append(LogLine(stamp, stream, entry[HEAD_BYTES:], partial))
    return lines, rest


def decode_json(block: bytes) -> tuple[list[LogLine], bytes]:
    """Lines of JSON; what is no entry is passed over."""
    lines: list[LogLine] = []
    written, stamp = "", ""
    *entries, rest = block.split(b"\n")
    for entry in entries:
        try:
            found = json.loads(entry)
            text, stream, at = found.get("log", ""), found.get("stream", "stdout"), found["time"]
        except (ValueError, KeyError, AttributeError):
            continue
        if at != written:
            written, stamp = at, padded(at)
        partial = not text.endswith("\n")
        lines.append(LogLine(stamp, stream, text.removesuffix("\n").encode(), partial))
    return lines, rest


def decode_local(block: bytes) -> tuple[list[LogLine], bytes]:
    """Messages; where one is none, the rest of the file is lost."""
    clock = Clock()
    lines: list[LogLine] = []
    at = 0
    while at + LENGTH.size <= len(block):
        (size,) = LENGTH.unpack_from(block, at)
        end = at + size + 2 * LENGTH.size
        if size > _LONGEST_BYTES:
            return lines, b""
        if end > len(block):
            break
        message = block[at + LENGTH.size : end - LENGTH.size]
        fields = dict(_fields(message))
        at = end
        stamp = clock.stamp(int(fields.get(TIME, 0))).decode()
        source, text = fields.get(SOURCE, b""), fields.get(LINE, b"")
        assert isinstance(source, bytes)  # by its wire type, and so is the text
        assert isinstance(text, bytes)
        partial = bool(fields.get(PARTIAL)) and not _is_last(fields.get(METADATA, b""))
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


DECODERS: dict[str, Decode] = {
    "cri": decode_cri,
    "json-file": decode_json,
    "local": decode_local,
}
