"""DNS messages, against arbitrary bytes."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.network.dns import wire

ANY_TIME = settings(deadline=None)  # others compute here, too
labels = st.binary(min_size=1, max_size=63).filter(lambda label: b"." not in label)
names = st.lists(labels, max_size=5).filter(lambda parts: sum(map(len, parts)) + len(parts) < 254)


def query(
    parts: list[bytes], kind: int = 1, *, number: int = 0x1234, extra: bytes = b"", more: int = 0
) -> bytes:
    header = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, more)
    encoded = b"".join(bytes([len(part)]) + part for part in parts)
    return header + encoded + b"\0" + struct.pack(">HH", kind, 1) + extra


def opt(size: int) -> bytes:
    return b"\0" + struct.pack(">HHIH", wire.TYPE_OPT, size, 0, 0)


def records(count: int) -> list[bytes]:
    return [wire.record(wire.TYPE_A, bytes([10, 0, 0, n]), 5) for n in range(count)]


@ANY_TIME
@given(st.binary(max_size=600))
def test_any_bytes_are_a_question_or_none(packet: bytes) -> None:
    question = wire.parse_question(packet)
    if question is not None:
        assert 16 < question.end <= len(packet)
        assert wire.respond(packet, question)[10:].startswith(packet[12 : question.end])
        assert wire.refuse(packet, wire.REFUSED)[:2] == packet[:2]


@ANY_TIME
@given(st.binary(min_size=17, max_size=80), st.data())
def test_a_question_cut_short_is_none(tail: bytes, data: st.DataObject) -> None:
    whole = query([b"db", b"example"])
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert wire.parse_question(whole[:cut]) is None


@ANY_TIME
@given(names, st.integers(0, 65535))
def test_a_question_is_read_in_lower_case_and_answered_as_it_was_spelt(
    parts: list[bytes], kind: int
) -> None:
    packet = query(parts, kind)
    question = wire.parse_question(packet)
    assert question is not None
    assert (question.name, question.kind) == (b".".join(parts).lower(), kind)
    answer = packet[:2] + wire.respond(packet, question, records(2))
    assert answer[12 : question.end] == packet[12 : question.end]
    assert struct.unpack_from(">HHHHHH", answer) == (0x1234, 0x8180, 1, 2, 0, 0)


@ANY_TIME
@given(st.integers(0, 200), st.one_of(st.none(), st.integers(0, 65535)))
def test_an_answer_is_no_larger_than_the_asker_takes(count: int, size: int | None) -> None:
    packet = query([b"db"]) if size is None else query([b"db"], extra=opt(size), more=1)
    question = wire.parse_question(packet)
    assert question is not None
    assert question.limit == max(512, size or 0)
    answer = packet[:2] + wire.respond(packet, question, records(count))
    assert len(answer) <= question.limit
    sent, whole = struct.unpack_from(">H", answer, 6)[0], not answer[2] & 0x02
    assert whole == (sent == count)
    assert (answer[11] == 1) == (size is not None)  # who speaks EDNS is answered in it


def test_a_pointer_in_the_question_is_refused() -> None:
    assert wire.parse_question(query([])[:12] + b"\xc0\x0c\0\1\0\1") is None


def test_answers_and_other_operations_are_no_questions() -> None:
    packet = bytearray(query([b"db"]))
    for flags in (0x80, 0x28, 0x10):
        packet[2] = flags
        assert wire.parse_question(bytes(packet)) is None


def test_a_name_is_encoded_as_labels() -> None:
    assert wire.encode_name("web.net_default") == b"\x03web\x0bnet_default\x00"
