"""Docker's `json-file`: one JSON object per line (engine.md C3)."""

from __future__ import annotations

import codecs

from engine.containers.logs.stamps import Clock, trimmed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMED = {ord("\r"): b"\\r", ord('"'): b'\\"'}
_UNSAFE = b'"\\<>&' + bytes(range(0x20))
_SAFE = bytes(byte for byte in range(0x80) if byte not in _UNSAFE) + b"\n"
_SEPARATORS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))
_INVALID = "buoy-json"  # our error handler


def file_name(container_id: str) -> str:
    """As Docker names it."""
    return f"{container_id}-json.log"


class JsonFile:
    """Entries end with a newline, and have none inside.

    attributes  of every entry, as the options labels, env and tag ask for
    """

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self._clock = Clock()
        self._attributes = b""
        if attributes:
            import json

            self._attributes = b',"attrs":' + json.dumps(attributes, separators=(",", ":")).encode()

    def encode(self, stream: str, text: bytes, at_ns: int, *, part: int = 0) -> bytes:
        """Entries for whole lines, or one for part number `part` of a line."""
        stamp = trimmed(self._clock.stamp(at_ns))
        head = b'{"log":"'
        tail = b'","stream":"%s"%s,"time":"%s"}\n' % (stream.encode(), self._attributes, stamp)
        escaped = _escape(text)
        if not text.endswith(b"\n"):
            return head + escaped + tail
        tail = b"\\n" + tail
        return head + escaped[:-1].replace(b"\n", tail + head) + tail

    def boundary(self, data: bytes, at: int) -> int:
        """Where the entry ends that holds the byte at `at`."""
        return data.index(b"\n", at) + 1


def _escape(text: bytes) -> bytes:
    """As Docker does; newlines stay. What is not UTF-8 becomes U+FFFD, byte by byte."""
    if unusual := text.translate(None, _SAFE):
        if b"\\" in unusual:
            text = text.replace(b"\\", b"\\\\")
        for byte in set(unusual) & set(_UNSAFE) - {ord("\\")}:
            text = text.replace(bytes((byte,)), _NAMED.get(byte) or b"\\u%04x" % byte)
        if not unusual.isascii():
            text = text.decode("utf-8", _INVALID).encode()
            for separator, escape in _SEPARATORS:
                text = text.replace(separator, escape)
    return text


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\\ufffd" * (error.end - error.start), error.end


codecs.register_error(_INVALID, _replace)
