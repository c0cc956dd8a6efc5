"""Expansion of words: engine.md D6.7, against what BuildKit's own table of cases says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.build.words import Lexer, WordError

VARIABLES = {
    "PWD": "/home",
    "EMPTY": "",
    "VER": "1.2.3",
    "FILE": "a/b/c.tar.gz",
    "SPACED": "one  two",
    "STAR": "a*b*c",
    "1": "first",
}

WORDS = [
    ("hello", "hello"),
    ("he'll'o", "hello"),
    ("'he$PWD'", "he$PWD"),
    ('"he$PWD"', "he/home"),
    (r"he\$PWD", "he$PWD"),
    (r'"he\$PWD"', "he$PWD"),
    (r"'he\$PWD'", r"he\$PWD"),
    (r'"a\bc\"d\\e"', r"a\bc" + '"d' + r"\e"),
    ("$PWD", "/home"),
    ("${PWD}x", "/homex"),
    ("$PWDx", ""),
    ("$", "$"),
    ("a$.b", "a$.b"),
    ("$1", "first"),
    ("$12", ""),
    ("$$x", "x"),
    ("trailing\\", "trailing"),
    ("${UNSET}", ""),
    ("${UNSET:-word}", "word"),
    ("${UNSET-word}", "word"),
    ("${EMPTY:-word}", "word"),
    ("${EMPTY-word}", ""),
    ("${PWD:+word}", "word"),
    ("${PWD+word}", "word"),
    ("${EMPTY:+word}", ""),
    ("${EMPTY+word}", "word"),
    ("${UNSET:+word}", ""),
    ("${PWD:?gone}", "/home"),
    ("${EMPTY?gone}", ""),
    ("${UNSET:-${PWD}}", "/home"),
    ("${UNSET:-'$PWD'}", "$PWD"),
    ("${VER#*.}", "2.3"),
    ("${VER##*.}", "3"),
    ("${VER%.*}", "1.2"),
    ("${VER%%.*}", "1"),
    ("${VER#?}", ".2.3"),
    (r"${STAR#a\*}", "b*c"),
    ("${VER#9}", "1.2.3"),
    ("${VER/./_}", "1_2.3"),
    ("${VER//./_}", "1_2_3"),
    ("${FILE/*\\//}", "c.tar.gz"),
    ("${VER//./}", "123"),
    ("${UNSET#x}", ""),
]


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_a_word_expands_as_buildkit_expands_it(text: str, expected: str) -> None:
    assert Lexer(VARIABLES).word(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'open", "no matching single-quote"),
        ('"open', "no matching double-quote"),
        ("${", "missing `}`"),
        ("${PWD", "missing `}`"),
        ("${PWD:-x", "missing `}`"),
        ("${}", "bad substitution"),
        ("${:x}", "bad substitution"),
        ("${PWD:#x}", "unsupported modifier (:#)"),
        ("${PWD^x}", "unsupported modifier (^)"),
        ("${UNSET:?is needed}", "UNSET: is needed"),
        ("${EMPTY:?}", "EMPTY: is not allowed to be unset"),
    ],
)
def test_what_cannot_be_expanded_is_said(text: str, message: str) -> None:
    with pytest.raises(WordError) as caught:
        Lexer(VARIABLES).word(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b  c", ["a", "b", "c"]),
        ("$SPACED", ["one", "two"]),
        ('"$SPACED"', ["one  two"]),
        ("x${SPACED}y", ["xone", "twoy"]),
        ("$UNSET", []),
        ('""', [""]),
        ("a'b c'd", ["ab cd"]),
        (r"a\ b", ["a b"]),
        ("${UNSET:-p q}", ["p", "q"]),
    ],
)
def test_words_split_at_blanks_outside_quotes(text: str, expected: list[str]) -> None:
    assert Lexer(VARIABLES).words(text) == expected


def test_raw_words_keep_what_they_are_written_with() -> None:
    assert Lexer({}, raw=True).words(r"""a='b c' d="e f" g\ h $i""") == [
        "a='b c'",
        'd="e f"',
        r"g\ h",
        "$i",
    ]


def test_the_escape_character_is_the_files() -> None:
    assert Lexer({"a": "1"}, "`").word(r"C:\x`$a$a") == r"C:\x$a1"


@given(st.text())
def test_single_quotes_protect_everything_but_themselves(text: str) -> None:
    quoted = "'" + text.replace("'", "") + "'"
    assert Lexer({"a": "x"}).word(quoted) == quoted[1:-1]


@given(st.text(max_size=40))
def test_any_text_expands_or_is_refused_with_a_place_in_it(text: str) -> None:
    for lexer in (Lexer(VARIABLES), Lexer(VARIABLES, raw=True)):
        assert 0 <= offset_of_error(lexer, text) <= len(text)


def offset_of_error(lexer: Lexer, text: str) -> int:
    """Where a text is wrong; its end where it is not."""
    try:
        lexer.words(text)
    except WordError as error:
        return error.offset
    return len(text)


@given(st.text(alphabet=st.characters(exclude_characters="'\"\\$ \t\n\v\f\r")))
def test_a_text_without_specials_is_itself(text: str) -> None:
    assert Lexer({}).word(text) == text
    assert Lexer({}).words(text) == ([text] if text else [])


@given(st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), st.text(), min_size=1))
def test_a_variable_in_quotes_is_its_value_whole(variables: dict[str, str]) -> None:
    for name, value in variables.items():
        assert Lexer(variables).word(f'"${{{name}}}"') == value
