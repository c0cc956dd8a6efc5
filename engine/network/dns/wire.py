"""DNS messages: one question in, its answer out. Bytes to bytes.

Sources: RFC 1035 section 4, RFC 6891 (EDNS).
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TYPE_A, TYPE_PTR, TYPE_AAAA, TYPE_OPT, TYPE_ANY = 1, 12, 28, 41, 255
CLASS_IN = 1
NO_ERROR, SERVER_FAILURE, NAME_ERROR, REFUSED = 0, 2, 3, 5

PLAIN_BYTES = 512  # what fits into UDP without EDNS
LARGEST_BYTES = 65_535

_HEADER_BYTES = 12
_RESPONSE, _OPCODE, _TRUNCATED, _RECURSION_DESIRED = 0x80, 0x78, 0x02, 0x01
_RECURSION_AVAILABLE, _CHECKING_DISABLED = 0x80, 0x10
_QUESTION_NAME = b"\xc0\x0c"  # a pointer to it: the answer keeps the asker's spelling
_TAIL = struct.Struct(">HH")
_COUNTS = struct.Struct(">HHHH")
_RECORD = struct.Struct(">HHIH")
_OPT_RECORD = b"\x00" + struct.pack(">HHIH", TYPE_OPT, 1232, 0, 0)


class Question:
    """What is asked for.

    name    lower case, labels joined by dots, no final dot
    end     offset past the question
    limit   bytes that the asker takes over UDP; edns: whether it said so
    """

    __slots__ = ("edns", "end", "kind", "limit", "name", "network_class")

    def __init__(self, name: bytes, kind: int, network_class: int, end: int) -> None:
        self.name = name
        self.kind = kind
        self.network_class = network_class
        self.end = end
        self.limit = PLAIN_BYTES
        self.edns = False


def parse_question(packet: bytes) -> Question | None:
    """The question of a query; None for anything but a query with exactly one question."""
    if len(packet) < _HEADER_BYTES or packet[2] & (_RESPONSE | _OPCODE):
        return None
    questions, answers, authorities, additional = _COUNTS.unpack_from(packet, 4)
    if questions != 1 or answers or authorities:
        return None
    labels = []
    place = _HEADER_BYTES
    try:
        while length := packet[place]:
            if length > 63:  # a pointer: nothing before it to point to
                return None
            labels.append(packet[place + 1 : place + 1 + length])
            place += 1 + length
        kind, network_class = _TAIL.unpack_from(packet, place + 1)
    except (IndexError, struct.error):
        return None
    if place - _HEADER_BYTES > 254:
        return None
    question = Question(b".".join(labels).lower(), kind, network_class, place + 5)
    if additional:
        _read_edns(packet, question)
    return question


def respond(
    packet: bytes,
    question: Question,
    records: Sequence[bytes] = (),
    *,
    rcode: int = NO_ERROR,
    limit: int | None = None,
) -> bytes:
    """The answer to a query, without its first two bytes: the id is the asker's.

    Records that do not fit into `limit` (None: what the asker takes) are left out, and the
    answer says so, which makes the asker come again over TCP.
    """
    return b"".join(respond_in_parts(packet, question, records, rcode=rcode, limit=limit))


def respond_in_parts(
    packet: bytes,
    question: Question,
    records: Sequence[bytes] = (),
    *,
    rcode: int = NO_ERROR,
    limit: int | None = None,
) -> list[bytes]:
    """The same: what comes before the records, each record, what comes after."""
    asked = packet[_HEADER_BYTES : question.end]
    extra = _OPT_RECORD if question.edns else b""
    room = (limit or question.limit) - _HEADER_BYTES - len(asked) - len(extra)
    kept: list[bytes] = []
    for record in records:
        room -= len(record)
        if room < 0:
            break
        kept.append(record)
    first = _RESPONSE | (packet[2] & _RECURSION_DESIRED)
    if len(kept) < len(records):
        first |= _TRUNCATED
    second = _RECURSION_AVAILABLE | (packet[3] & _CHECKING_DISABLED) | rcode
    counts = _COUNTS.pack(1, len(kept), 0, 1 if extra else 0)
    return [bytes((first, second)) + counts + asked, *kept, extra]


def is_truncated(answer: bytes) -> bool:
    """Of one without its id."""
    return bool(answer[0] & _TRUNCATED)


def refuse(packet: bytes, rcode: int) -> bytes:
    """The whole answer to a query that `parse_question` accepts, with an error and no more."""
    question = parse_question(packet)
    assert question is not None, "others are dropped on arrival"
    return packet[:2] + respond(packet, question, rcode=rcode)


def record(kind: int, data: bytes, ttl_s: int) -> bytes:
    """A resource record of the name that was asked for."""
    return _QUESTION_NAME + _RECORD.pack(kind, CLASS_IN, ttl_s, len(data)) + data


def encode_name(name: str) -> bytes:
    """A name as labels, uncompressed."""
    labels = [label.encode()[:63] for label in name.split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def rcode_of(answer: bytes) -> int:
    """The response code of an answer."""
    return answer[3] & 0x0F


def _read_edns(packet: bytes, question: Question) -> None:
    place = question.end
    if packet[place : place + 3] == b"\0" + struct.pack(">H", TYPE_OPT):
        size = int.from_bytes(packet[place + 3 : place + 5], "big")
        question.limit = max(PLAIN_BYTES, size)
        question.edns = True
