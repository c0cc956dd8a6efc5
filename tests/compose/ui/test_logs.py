"""Log lines of several containers on one stream."""

from __future__ import annotations

from typing import Any

import pytest

from compose.commands.logs import merged
from compose.ui.console import Console
from compose.ui.logs import LogPrinter, stamp_of
from engine import LogLine

Output = pytest.CaptureFixture[bytes]


def line(text: str, at: int = 0, stream: str = "stdout", *, partial: bool = False) -> LogLine:
    return LogLine(stamp_of(at), stream, text.encode(), partial)


def printed(capsysbinary: Output, *lines: tuple[str, LogLine], **how: Any) -> str:
    printer = LogPrinter(Console(ansi=how.pop("ansi", "never")), ("web-1", "database-1"), **how)
    printer.lines(lines)
    return capsysbinary.readouterr().out.decode()


def test_names_are_padded_to_the_longest(capsysbinary: Output) -> None:
    text = printed(capsysbinary, ("web-1", line("hello")), ("database-1", line("ready")))
    assert text == "web-1       | hello\ndatabase-1  | ready\n"


def test_each_line_of_a_message_has_the_prefix(capsysbinary: Output) -> None:
    assert printed(capsysbinary, ("web-1", line("a\nb"))) == "web-1       | a\nweb-1       | b\n"


def test_parts_of_a_line_are_joined(capsysbinary: Output) -> None:
    entries = [("web-1", line("half ", partial=True)), ("web-1", line("and half"))]
    assert printed(capsysbinary, *entries, prefix=False) == "half and half\n"


def test_colours_go_by_the_order_of_names(capsysbinary: Output) -> None:
    text = printed(capsysbinary, ("web-1", line("x")), ("database-1", line("y")), ansi="always")
    assert text == "\x1b[33mweb-1       | \x1b[0mx\n\x1b[36mdatabase-1  | \x1b[0my\n"


def test_the_time_is_the_lines_own(capsysbinary: Output) -> None:
    text = printed(capsysbinary, ("web-1", line("x", 1_700_000_000)), timestamps=True, prefix=False)
    assert text == "2023-11-14T22:13:20.000000000Z x\n"


def test_up_sends_stderr_to_stderr(capsysbinary: Output) -> None:
    entry = ("web-1", line("bad", stream="stderr"))
    printer = LogPrinter(Console(ansi="never"), ("web-1",), stderr=True)
    printer.lines([entry])
    captured = capsysbinary.readouterr()
    assert (captured.out, captured.err) == (b"", b"web-1  | bad\n")


def test_what_is_not_utf8_passes_unchanged(capsysbinary: Output) -> None:
    entry = LogLine(stamp_of(0), "stdout", b"\xff\xfe", partial=False)
    LogPrinter(Console(ansi="never"), ("a",), prefix=False).lines([("a", entry)])
    assert capsysbinary.readouterr().out == b"\xff\xfe\n"


def test_lines_are_merged_by_time() -> None:
    web = iter([("web", line("1", 1)), ("web", line("4", 4))])
    db = iter([("db", line("2", 2)), ("db", line("3", 3))])
    assert [entry.text for _, entry in merged([web, db])] == [b"1", b"2", b"3", b"4"]


def test_a_line_without_end_is_printed_in_parts(capsysbinary: Output) -> None:
    part = ("a", line("x" * 400_000, partial=True))
    printer = LogPrinter(Console(ansi="never"), ("a",), prefix=False)
    printer.lines([part] * 4)
    assert capsysbinary.readouterr().out == b"x" * 1_200_000 + b"\n"
