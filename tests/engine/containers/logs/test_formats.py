"""What is in the files, entry by entry: CRI's, Docker's json-file's and local's."""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.containers.logs import cri, json_file, local
from engine.containers.logs.decoding import decode_cri, decode_json, decode_local
from engine.containers.logs.writer import LINE_LIMIT, pieces
from tests.engine.containers.logs.writing import DRIVERS, log_in, path_in, read, texts

if TYPE_CHECKING:
    from pathlib import Path

CRI = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) [FP] .*")
AT_NS = 1_767_366_245_120_000_000  # 2026-01-02T15:04:05.12Z


def test_a_cri_entry_is_a_line(tmp_path: Path) -> None:
    with log_in(tmp_path) as log:
        log.write("stdout", b"one\ntwo\n\nrest")
        log.write("stderr", b"three\n")
    lines = path_in(tmp_path, "cri").read_bytes().splitlines()
    assert all(CRI.fullmatch(line) for line in lines)
    found = [line.split(b" ", 1)[1] for line in lines]
    kinds = [b"stdout F one", b"stdout F two", b"stdout F ", b"stderr F three", b"stdout P rest"]
    assert found == kinds


def test_a_json_entry_is_dockers() -> None:
    log = json_file.JsonFile({})
    entry = b'{"log":"%s","stream":"stdout","time":"2026-01-02T15:04:05.12Z"}\n'
    assert log.encode("stdout", b"a\nb\n", AT_NS) == entry % b"a\\n" + entry % b"b\\n"
    assert log.encode("stdout", b"half", AT_NS, part=1) == entry % b"half"
    tagged = json_file.JsonFile({"tag": "t", "k": '"'}).encode("stderr", b"x\n", AT_NS)
    assert tagged.startswith(
        b'{"log":"x\\n","stream":"stderr","attrs":{"tag":"t","k":"\\""},"time"'
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (b'\\ " \r \t', rb"\\ \" \r \u0009"),
        (b"<a & b>\x00\x1b\x7f", b"\\u003ca \\u0026 b\\u003e\\u0000\\u001b\x7f"),
        ("é € 😀 \u2028\u2029".encode(), "é € 😀 \\u2028\\u2029".encode()),
        (b"\xff\xe2\x82!", rb"\ufffd\ufffd\ufffd!"),
        ("\ufffd".encode(), "\ufffd".encode()),
    ],
)
def test_json_text_is_escaped_as_docker_does(text: bytes, written: bytes) -> None:
    entry = json_file.JsonFile({}).encode("stdout", text + b"\n", AT_NS)
    assert entry.startswith(b'{"log":"' + written + b"\\n")
    assert json.loads(entry)["log"] == text.decode("utf-8", "replace") + "\n" or b"\xe2\x82" in text


def test_a_local_entry_is_a_message_between_its_lengths() -> None:
    entry = local.Local().encode("stdout", b"hi\n", AT_NS)
    (size,) = struct.unpack(">I", entry[:4])
    assert (entry[-4:], len(entry)) == (entry[:4], size + 8)
    assert entry[4:12] == b"\x0a\x06stdout"
    assert entry[-8:-4] == b"\x1a\x02hi"
    part = local.Local().encode("stdout", b"hi", AT_NS, part=1)
    assert b"\x1a\x02hi\x20\x01\x2a" in part  # partial, and which line it is of


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_line_that_comes_in_pieces_is_one_entry(tmp_path: Path, driver: str) -> None:
    with log_in(tmp_path, driver) as log:
        for piece in (b"he", b"ll", b"o\nwor", b"ld\nhalf"):
            log.write("stdout", piece)
        assert texts(tmp_path, driver) == [b"hello", b"world"]
    assert read(tmp_path, driver)[-1][1:] == ("stdout", b"half", True)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("length", [LINE_LIMIT, LINE_LIMIT + 1, 3 * LINE_LIMIT + 5])
@pytest.mark.parametrize("chunk", [1000, 65536])
def test_long_lines_are_cut_and_lose_nothing(
    tmp_path: Path, driver: str, length: int, chunk: int
) -> None:
    line = (b"0123456789abcdef" * (length // 16 + 1))[:length]
    with log_in(tmp_path, driver) as log:
        data = line + b"\nnext\nlast\n"
        for start in range(0, len(data), chunk):
            log.write("stdout", data[start : start + chunk])
    *parts, following, last = read(tmp_path, driver)
    assert b"".join(part.text for part in parts) == line
    assert (following.text, last.text) == (b"next", b"last")
    assert [part.partial for part in parts] == [True] * (len(parts) - 1) + [False]
    assert len({part.stamp for part in parts}) == 1  # that of the first
    assert all(len(part.text) <= LINE_LIMIT for part in parts)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_cut_line_that_is_never_ended_does_not_reach_into_the_next_run(
    tmp_path: Path, driver: str
) -> None:
    with log_in(tmp_path, driver) as log:
        log.write("stdout", b"x" * (LINE_LIMIT + 10))
        log.flush()
        log.write("stdout", b"new\n")
    assert [(len(one.text), one.partial) for one in read(tmp_path, driver)] == [
        (LINE_LIMIT, True),
        (10, True),
        (3, False),
    ]


@pytest.mark.parametrize("driver", ["cri", "local"])
def test_any_bytes_come_back_as_they_were(tmp_path: Path, driver: str) -> None:
    line = bytes(range(256)).replace(b"\n", b"")
    with log_in(tmp_path, driver) as log:
        log.write("stderr", line + b"\n")
    assert texts(tmp_path, driver) == [line]


@pytest.mark.parametrize(
    ("decode", "garbage", "entry"),
    [
        (decode_cri, b"\0\0garbage\n2026 stdin F x\n", cri.Cri().encode("stdout", b"ok\n", 1)),
        (
            decode_json,
            b'\0\n{"log":\n[1]\n{}\n',
            json_file.JsonFile({}).encode("stdout", b"ok\n", 1),
        ),
    ],
)
def test_what_is_no_entry_is_passed_over(decode: object, garbage: bytes, entry: bytes) -> None:
    assert callable(decode)
    lines, rest = decode(garbage + entry + b"rest")
    assert ([line.text for line in lines], rest) == ([b"ok"], b"rest")
    assert decode_local(b"\xff" * 20) == ([], b"")


@given(st.lists(st.sampled_from([b"\n", b"a", b"bb" * 5000, b"c" * 30_000])).map(b"".join))
def test_pieces_are_the_text(text: bytes) -> None:
    found = list(pieces(text))
    assert b"".join(found) == text
    for piece in found:
        assert all(len(line) <= LINE_LIMIT for line in piece.split(b"\n"))
        assert piece.endswith(b"\n") or b"\n" not in piece


TEXTS = st.lists(
    st.one_of(st.binary(max_size=50), st.sampled_from([b"\n", b"x" * 20_000, b'"\\<\xc3\xa9\n']))
).map(b"".join)


@settings(deadline=None, max_examples=50)
@given(TEXTS, st.integers(1, 5000))
@pytest.mark.parametrize("driver", DRIVERS)
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, driver: str, text: bytes, chunk: int
) -> None:
    directory = tmp_path_factory.mktemp("log")
    with log_in(directory, driver) as log:
        for at in range(0, len(text), chunk):
            log.write("stdout", text[at : at + chunk])
    found = b"".join(
        line.text + (b"" if line.partial else b"\n") for line in read(directory, driver)
    )
    if driver == "json-file":
        text, found = _in_json(text), _in_json(found)
    assert found == text


def _in_json(text: bytes) -> bytes:
    """Without what is not ASCII: a character may have been cut in two, or be none."""
    return bytes(byte for byte in text if byte < 0x80)
