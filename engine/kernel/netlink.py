"""Netlink: messages packed by hand, many in one send; acknowledgements and dumps read.

This is what runs once per container: 0.8 ms for all links of one, and no import beyond the
standard library. The messages themselves are in `rtnetlink`, `nftables` and `conntrack`.
Sources: kernel Documentation/userspace-api/netlink, include/uapi/linux/netlink.h.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Message = tuple[int, int, bytes]  # type, flags beside NLM_F_REQUEST, body

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10  # in an answer: what is dumped has changed meanwhile
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_DUMP = 0x300
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800
NLM_F_ACK_TLVS = 0x200  # in an answer: the kernel's own words follow

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLMSGERR_ATTR_MSG = 1

SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12
SO_SNDBUFFORCE = 32

NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE_BYTES = 1 << 18
_DUMP_TRIES = 10


class NetlinkError(OSError):
    """A refused message: which of the batch it was, and the kernel's words where it gave any."""

    def __init__(self, code: int, what: str, said: str = "") -> None:
        text = f"{what}: {os.strerror(code)}" + (f" ({said})" if said else "")
        super().__init__(code, text)


@contextlib.contextmanager
def accepting(*numbers: int) -> Iterator[None]:
    """A message that is refused in the with-block is no error, where it is for one of these
    reasons (errno)."""
    try:
        yield
    except NetlinkError as error:
        if error.errno not in numbers:
            raise


def attribute(kind: int, data: bytes) -> bytes:
    """One attribute, padded. The length field is 16 bits: `data` must stay under 64 KiB."""
    length = 4 + len(data)
    return _ATTRIBUTE.pack(length, kind) + data + b"\0" * (-length & 3)


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(parts))


def text(kind: int, value: str) -> bytes:
    """A string attribute, with the NUL that the kernel wants."""
    return attribute(kind, value.encode() + b"\0")


def parse_attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Attributes by type; of a repeated type the last."""
    return dict(iterate_attributes(data, offset))


def iterate_attributes(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """(type, payload) of each attribute from `offset` on, flags taken off the type."""
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            return
        yield kind & NLA_TYPE_MASK, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


class NetlinkSocket:
    """A netlink socket of the namespace it was opened in; use it from anywhere."""

    def __init__(self, protocol: int, opened: socket.socket | None = None) -> None:
        self.socket = opened or socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
        )
        self.sequence = 0
        try:
            self.socket.bind((0, 0))
            self.socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
            self.socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> NetlinkSocket:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; may be repeated."""
        self.socket.close()

    def send(self, messages: Sequence[Message]) -> None:
        """Send all as one datagram and wait for each one's acknowledgement.

        rtnetlink works on through a batch past a failed message: nothing is rolled back. Raises
        the NetlinkError of the first that failed.
        """
        first = self.sequence + 1
        packed = [self._pack(kind, flags | NLM_F_ACK, body) for kind, flags, body in messages]
        self.socket.send(b"".join(packed))
        waiting, failure = len(messages), None
        while waiting:
            for kind, flags, sequence, body in self._receive():
                if kind != NLMSG_ERROR or sequence < first:
                    continue
                waiting -= 1
                if failure is None:
                    failure = read_error(
                        body, flags, f"netlink message {sequence - first + 1} of {len(messages)}"
                    )
        if failure is not None:
            raise failure

    def dump(self, kind: int, body: bytes, flags: int = NLM_F_DUMP) -> list[bytes]:
        """The bodies of all answers to a dump, or of the only answer when `flags` is 0.

        A dump during which something changed may lack what was there all the time: it is asked
        for again, a few times.
        """
        for _ in range(_DUMP_TRIES):
            bodies, is_consistent = self._dump_once(kind, body, flags)
            if is_consistent:
                break
        return bodies

    def _dump_once(self, kind: int, body: bytes, flags: int) -> tuple[list[bytes], bool]:
        """The bodies of the answers, and whether they are of one state."""
        self.socket.send(self._pack(kind, flags, body))
        bodies: list[bytes] = []
        seen = 0
        while True:
            for answer, answer_flags, sequence, data in self._receive():
                if sequence != self.sequence:
                    continue
                seen |= answer_flags
                if answer == NLMSG_ERROR:
                    failure = read_error(data, answer_flags, f"netlink request {kind}")
                    if failure is not None:
                        raise failure
                    return bodies, True
                if answer == NLMSG_DONE:
                    return bodies, not seen & NLM_F_DUMP_INTR
                bodies.append(data)
                if not flags & NLM_F_DUMP:
                    return bodies, True

    def _pack(self, kind: int, flags: int, body: bytes) -> bytes:
        self.sequence += 1
        header = HEADER.pack(16 + len(body), kind, flags | NLM_F_REQUEST, self.sequence, 0)
        return header + body + b"\0" * (-len(body) & 3)

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        return split_messages(self.socket.recv(_RECEIVE_BYTES))


def split_messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(type, flags, sequence, body) of each message in a datagram."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, offset)
        yield kind, flags, sequence, data[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def read_error(body: bytes, flags: int, what: str) -> NetlinkError | None:
    """The error in the body of an NLMSG_ERROR; None for a plain acknowledgement."""
    code = -int(struct.unpack_from("=i", body)[0])
    if code == 0:
        return None
    said = b""
    if flags & NLM_F_ACK_TLVS:  # after the error and the header of the refused message
        said = parse_attributes(body, 4 + 16).get(NLMSGERR_ATTR_MSG, b"")
    return NetlinkError(code, what, said.rstrip(b"\0").decode(errors="replace"))
