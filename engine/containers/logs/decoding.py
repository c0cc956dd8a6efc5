"""Taking a block of a log file apart: the entries that are whole, and the rest of the block.

For commands: the monitor only writes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.containers.logs.cri import HEAD_BYTES
from engine.containers.logs.line import LogLine
from engine.containers.logs.local import LENGTH, LINE, METADATA, PARTIAL, SOURCE, TIME, varint
from engine.containers.logs.stamps import Clock, padded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Decode = Callable[[bytes], tuple[list[LogLine], bytes]]

_STREAMS = {b"stdout": "stdout", b"stderr": "stderr"}
_JSON_HEAD = b'{"log":"'
_JSON_TEXT_END = b'\\n","stream":"'  # a quote within the text has a backslash before it
_LINE = bytes((LINE,))
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
    """Lines of JSON; what is no entry is passed over.

    Lines that were written together differ in their text alone: without an escape in it, there is
    nothing to parse.
    """
    lines: list[LogLine] = []
    known, stamp, stream = b"", "", ""
    *entries, rest = block.split(b"\n")
    for entry in entries:
        if known and entry.endswith(known) and entry.startswith(_JSON_HEAD):
            text = entry[len(_JSON_HEAD) : -len(known)]
            if b"\\" not in text:
                lines.append(LogLine(stamp, stream, text, False))
                continue
        try:
            line = _line_of(json.loads(entry))
        except (ValueError, KeyError, AttributeError):
            continue
        lines.append(line)
        _, end, others = entry.partition(_JSON_TEXT_END)
        known = b"" if line.partial else end + others
        stamp, stream = line.stamp, line.stream
    return lines, rest


def _line_of(found: dict[str, str]) -> LogLine:
    """What is empty is left out of an entry."""
    text = found.get("log", "")
    partial = not text.endswith("\n")
    stream = found.get("stream", "stdout")
    return LogLine(padded(found["time"]), stream, text.removesuffix("\n").encode(), partial)


def decode_local(block: bytes) -> tuple[list[LogLine], bytes]:
    """Messages; where one is none, the rest of the file is lost.

    Those that were written together begin with the same bytes, up to the length of the line.
    """
    lines: list[LogLine] = []
    clock, at, known, stamp, stream = Clock(), 0, b"", "", ""
    while at + LENGTH.size <= len(block):
        (size,) = LENGTH.unpack_from(block, at)
        begin, end = at + LENGTH.size, at + LENGTH.size + size
        if size > _LONGEST_BYTES:
            return lines, b""
        if end + LENGTH.size > len(block):
            break
        at = end + LENGTH.size
        if known and block.startswith(known, begin):
            length, start = _read_varint(block, begin + len(known))
            if start + length == end:
                lines.append(LogLine(stamp, stream, block[start:end], False))
                continue
        message = block[begin:end]
        fields = dict(_fields(message))
        stamp = clock.stamp(int(fields.get(TIME, 0))).decode()
        source, text = fields.get(SOURCE, b""), fields.get(LINE, b"")
        assert isinstance(source, bytes)  # by its wire type, and so is the text
        assert isinstance(text, bytes)
        stream = source.decode("ascii", "replace")
        partial = bool(fields.get(PARTIAL)) and not _is_last(fields.get(METADATA, b""))
        lines.append(LogLine(stamp, stream, text, partial))
        known = _head_of(message, text)
    return lines, block[at:]


def _head_of(message: bytes, text: bytes) -> bytes:
    """What comes before the length of the line; nothing where something comes after the line."""
    end = len(message) - len(text) - len(varint(len(text)))
    return message[:end] if message.endswith(text) and message[end - 1 : end] == _LINE else b""


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
