"""The grammar of environment files (compose-file.md 12.2)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.errors import EnvFileSyntax
from compose.source.dotenv import parse_dotenv, read_raw

OUTSIDE = {"SHELL_VAR": "outside", "BOTH": "outside"}


def parse(text: str) -> dict[str, str]:
    return parse_dotenv(text, ".env", OUTSIDE.get, lambda name: None)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1", {"A": "1"}),
        ("A: 1", {"A": "1"}),
        ("  A = 1  ", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("\n# comment\n\nA=1\n", {"A": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=a b # comment", {"A": "a b"}),
        ("A=a#b", {"A": "a#b"}),
        ("A=#x", {"A": "#x"}),
        (r"A=a\nb", {"A": r"a\nb"}),
        ("A=1\nA=2", {"A": "2"}),
        ("a.b-c[0]=1", {"a.b-c[0]": "1"}),
        ("A='$B \\n'", {"A": "$B \\n"}),
        (r"A='it\'s'", {"A": "it's"}),
        ("A='two\nlines'", {"A": "two\nlines"}),
        ('A="two\nlines"', {"A": "two\nlines"}),
        (r'A="a\tb\nc\"d\\e"', {"A": 'a\tb\nc"d\\e'}),
        (r'A="\x"', {"A": r"\x"}),
        (r'A="\0101"', {"A": "A"}),
        (r'A="\$B $$C"', {"A": "$B $C"}),
        ("A='x' # comment\nB=1", {"A": "x", "B": "1"}),
        ("A=1\nB=$A-${A}2", {"A": "1", "B": "1-12"}),
        ("B=${NONE:-d}", {"B": "d"}),
        ("BOTH=file\nB=$BOTH", {"BOTH": "file", "B": "outside"}),
        ("SHELL_VAR", {"SHELL_VAR": "outside"}),
        ("NONE", {}),
        ("NONE\n", {}),
        ("h\u00f6he=1", {"h\u00f6he": "1"}),
        ("A='x' B=\"y\" C=z # comment", {"A": "x", "B": "y", "C": "z"}),
        ("A='x'SHELL_VAR", {"A": "x", "SHELL_VAR": "outside"}),
    ],
)
def test_every_form(text: str, values: dict[str, str]) -> None:
    assert parse(text) == values


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("A=1\nB C=2", ".env:2:3"),
        ("A=1\n\n=2", ".env:3:1"),
        ("A='x", ".env:1:3"),
        ('A="x', ".env:1:3"),
        ("A='x' y z", ".env:1:9"),
        ('A="x"/y', ".env:1:6"),
        ("A=1\nB=${C", ".env:2:3"),
        ("B=${C:?needed}", ".env:1:3"),
        ("A%=1", ".env:1:2"),
        ("A=1\nexport ", ".env:2:8"),
    ],
)
def test_a_problem_has_its_line_and_column(text: str, where: str) -> None:
    with pytest.raises(EnvFileSyntax) as caught:
        parse(text)
    assert caught.value.where == where


def test_a_variable_after_a_closing_quote_is_said() -> None:
    notices: list[tuple[str, str]] = []
    text = "A=1\nB='x' C=2\n"
    parse_dotenv(text, ".env", OUTSIDE.get, lambda name: None, lambda *said: notices.append(said))
    assert notices == [
        ("`C=2` after the closing quote is read as a variable of its own", ".env:2:7")
    ]


@pytest.mark.parametrize("line", ["export A=1", "A =1", "A B", "=1"])
def test_raw_format_refuses_what_is_no_name(line: str) -> None:
    with pytest.raises(EnvFileSyntax) as caught:
        read_raw(f"B=1\n{line}\n", "f", OUTSIDE.get)
    assert caught.value.where == "f:2:1"


def test_raw_format_takes_values_as_they_are() -> None:
    text = 'A="$B" # x\nSHELL_VAR\n# comment\nNONE\n'
    settings = read_raw(text, "f", OUTSIDE.get)
    assert settings == [("A", '"$B" # x', "f:1:1", None), ("SHELL_VAR", "outside", "f:2:1", None)]


keys = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,8}", fullmatch=True)
values = st.text(alphabet=st.characters(exclude_characters="\r", exclude_categories=["Cs"]))


@given(keys, values)
def test_a_quoted_value_reads_back(key: str, value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    assert parse(f'{key}="{quoted}"\nLAST=1') == {key: value, "LAST": "1"}


@given(st.text(alphabet="AB=:'\"#\\$ {}\n", max_size=40))
def test_any_text_is_either_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(EnvFileSyntax):
        parse(text)
