"""Calls over D-Bus, as far as firewalld is asked by them: strings in, one value out.

Source: the D-Bus specification, "Message Protocol" and "Authentication Protocol".
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ADDRESS = "unix:path=/run/dbus/system_bus_socket"
_TIMEOUT_S = 5.0  # for all that is asked in one go
_PAUSE_S = 60.0  # after nobody has answered: a command asks of each network, and more than once
_CALL, _RETURN, _ERROR = 1, 2, 3
_PATH, _INTERFACE, _MEMBER, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 5, 6, 8
_START_BYTES = 16  # of a message, the length of the list of fields included
_ALIGNMENTS = {"y": 1, "g": 1, "b": 4, "u": 4, "s": 4, "o": 4}
_DAEMON = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class Bus:
    """The system bus of this machine. Raises OSError where there is none that answers, and for a
    while after that at once."""

    _silent_until_s = 0.0

    def __init__(self) -> None:
        if time.monotonic() < Bus._silent_until_s:
            raise TimeoutError("timed out")
        self._until_s = time.monotonic() + _TIMEOUT_S
        address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", _ADDRESS)
        self._serial = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(_TIMEOUT_S)
        try:
            self._socket.connect(address.partition("path=")[2].partition(",")[0])
            self._authenticate()
            self.call(*_DAEMON, "Hello")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def call(
        self, destination: str, path: str, interface: str, method: str, *given: str
    ) -> str | int:
        """The first value that a method returns, if that is a string, path, number or boolean;
        else "". Raises OSError with what the other side objects to."""
        self._serial += 1
        with self._in_time():
            message = _message(self._serial, destination, path, interface, method, given)
            self._socket.sendall(message)
            return self._answer(method)

    def _answer(self, method: str) -> str | int:
        while True:
            kind, order, fields, body = self._receive()
            if fields.get(_REPLY_SERIAL) != self._serial:
                continue
            first = str(fields.get(_SIGNATURE, ""))[:1]
            value = _read(first, body, 0, order)[0] if first in _ALIGNMENTS else ""
            if kind == _ERROR:
                raise OSError(f"{method}: {value}")
            if kind == _RETURN:
                return value

    def _authenticate(self) -> None:
        user = str(os.geteuid()).encode().hex()
        self._socket.sendall(f"\0AUTH EXTERNAL {user}\r\n".encode())
        with self._in_time():
            answer = self._socket.recv(512)
        if not answer.startswith(b"OK"):
            raise OSError(f"the system bus refuses us: {answer.decode(errors='replace').strip()}")
        self._socket.sendall(b"BEGIN\r\n")

    @contextlib.contextmanager
    def _in_time(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            Bus._silent_until_s = time.monotonic() + _PAUSE_S
            raise

    def _receive(self) -> tuple[int, str, dict[int, str | int], bytes]:
        """Kind, byte order, header fields and body of the next message."""
        start = self._read(_START_BYTES)
        order = "<" if start[:1] == b"l" else ">"
        kind = start[1]
        body_bytes, _, fields_bytes = struct.unpack_from(f"{order}III", start, 4)
        rest = self._read(_aligned(fields_bytes, 8) + body_bytes)
        fields = dict(_fields(rest[:fields_bytes], order))
        return kind, order, fields, rest[_aligned(fields_bytes, 8) :]

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            # what others tell everybody comes by, too, and takes of the time
            left_s = self._until_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("timed out")
            self._socket.settimeout(left_s)
            part = self._socket.recv(size - len(found))
            if not part:
                raise OSError("the system bus has hung up")
            found += part
        return found


def _message(
    serial: int, destination: str, path: str, interface: str, method: str, given: tuple[str, ...]
) -> bytes:
    body = b""
    for argument in given:
        body = body.ljust(_aligned(len(body), 4), b"\0") + _string(argument)
    fields = b""
    for code, kind, value in (
        (_PATH, b"o", _string(path)),
        (_INTERFACE, b"s", _string(interface)),
        (_MEMBER, b"s", _string(method)),
        (_DESTINATION, b"s", _string(destination)),
        (_SIGNATURE, b"g", bytes([len(given)]) + b"s" * len(given) + b"\0"),
    ):
        fields = fields.ljust(_aligned(len(fields), 8), b"\0")
        fields += bytes([code, 1]) + kind + b"\0" + value
    start = b"l" + bytes([_CALL, 0, 1]) + struct.pack("<III", len(body), serial, len(fields))
    return start + fields.ljust(_aligned(len(fields), 8), b"\0") + body


def _string(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<I", len(data)) + data + b"\0"


def _fields(data: bytes, order: str) -> Iterator[tuple[int, str | int]]:
    """(code, value) of the fields of a header: each a structure of a byte and a variant."""
    offset = 0
    while offset < len(data):
        offset = _aligned(offset, 8)
        code = data[offset]
        kind = chr(data[offset + 2])
        value, offset = _read(kind, data, offset + 4, order)
        yield code, value


def _read(kind: str, data: bytes, offset: int, order: str) -> tuple[str | int, int]:
    """A value, and where the next one may begin."""
    offset = _aligned(offset, _ALIGNMENTS[kind])
    if kind in "bu":
        return struct.unpack_from(f"{order}I", data, offset)[0], offset + 4
    if kind == "y":
        return data[offset], offset + 1
    if kind == "g":
        size, offset = data[offset], offset + 1
    else:
        size, offset = struct.unpack_from(f"{order}I", data, offset)[0], offset + 4
    return data[offset : offset + size].decode(errors="replace"), offset + size + 1


def _aligned(size: int, to: int) -> int:
    return -(-size // to) * to
