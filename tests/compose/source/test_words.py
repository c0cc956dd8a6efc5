"""The string form of commands (compose-file.md 4.3)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.source.words import split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b  c", ["a", "b", "c"]),
        ("", []),
        ("sh -c 'a; b' x", ["sh", "-c", "a; b", "x"]),
        ("a \"b 'c'\" d", ["a", "b 'c'", "d"]),
        ("a '' b", ["a", "", "b"]),
        (r"a\ b", ["a b"]),
        (r"a\nb \t", ["a\nb", "\t"]),
        (r"'a\nb'", [r"a\nb"]),
        (r'"a\"b"', ['a"b']),
        ("$HOME *.c ~", ["$HOME", "*.c", "~"]),
        ("echo $(date +%s) x", ["echo", "$(date +%s)", "x"]),
        ("echo `a b`", ["echo", "`a b`"]),
        ("a'b'c", ["abc"]),
    ],
)
def test_words_are_split_without_a_shell(text: str, words: list[str]) -> None:
    assert split_words(text) == (words, "")


@pytest.mark.parametrize(
    ("text", "words", "dropped"),
    [
        ("echo a && echo b", ["echo", "a"], "&& echo b"),
        ("a; b", ["a"], "; b"),
        ("a > f", ["a"], "> f"),
        ("a 2>&1", ["a"], ">&1"),
        ("a|b", ["a"], "|b"),
    ],
)
def test_an_operator_ends_the_command_and_the_rest_is_reported(
    text: str, words: list[str], dropped: str
) -> None:
    assert split_words(text) == (words, dropped)


@pytest.mark.parametrize("text", ["a (b)", "'a", '"a', "`a", "$(a"])
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"needs quotes|is missing"):
        split_words(text)


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="'\\"), max_size=8), max_size=5))
def test_single_quotes_protect_everything(words: list[str]) -> None:
    assert split_words(" ".join(f"'{word}'" for word in words)) == (words, "")


@given(st.text(alphabet="ab \t'\"\\`$();&|<>12n", max_size=30))
def test_any_text_is_either_split_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        split_words(text)
