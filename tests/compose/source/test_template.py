"""Variables in values (compose-file.md 11)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.source.template import Malformed, Unset, substitute

VALUES = {"SET": "x", "EMPTY": "", "OTHER": "y"}


def expand(text: str) -> tuple[str, list[str]]:
    missing: list[str] = []
    return substitute(text, VALUES.get, missing.append), missing


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$SET", "x"),
        ("${SET}", "x"),
        ("a${SET}b$SET-c", "axbx-c"),
        ("${NONE:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NONE-d}", "d"),
        ("${SET:+a}", "a"),
        ("${EMPTY:+a}", ""),
        ("${EMPTY+a}", "a"),
        ("${NONE+a}", ""),
        ("${SET:?e}", "x"),
        ("${EMPTY?e}", ""),
        ("$$SET", "$SET"),
        ("$$$SET", "$x"),
        ("${NONE:-${OTHER}}", "y"),
        ("${NONE:-${NADA:-${SET}}}", "x"),
        ('${NONE:-{"a": {"b": 1}}}', '{"a": {"b": 1}}'),
        ("${NONE-b:?c}", "b:?c"),
        ("${NONE:-{}", "{"),
        ("${NONE:-a}${SET:-{} ${NONE:-${NADA:-{}} ${NONE-}", "ax { "),
        ("$", "$"),
        ("$1", "$1"),
        ("$}", "$}"),
        ("a $ b", "a $ b"),
        ("${NONE:-$$}", "$"),
    ],
)
def test_every_form(text: str, result: str) -> None:
    assert expand(text)[0] == result


@pytest.mark.parametrize(
    "text", ["${}", "${1X}", "${A/x/y}", "${A", "${A:-${B}", "${ A}", "${NONE:-a\nb}"]
)
def test_what_breaks_the_grammar(text: str) -> None:
    with pytest.raises(Malformed):
        expand(text)


def test_an_unset_variable_is_reported_and_replaced_by_nothing() -> None:
    assert expand("a$NONE-${NADA}") == ("a-", ["NONE", "NADA"])


def test_a_default_that_is_not_used_is_not_evaluated() -> None:
    assert expand("${SET:-${NONE:?never}}") == ("x", [])


def test_a_required_variable_says_why_with_its_own_variables() -> None:
    with pytest.raises(Unset) as caught:
        expand("${NONE:?set it to $OTHER}")
    assert (caught.value.name, caught.value.message) == ("NONE", "set it to y")


@given(st.text())
def test_doubled_dollars_give_any_text_back(text: str) -> None:
    assert expand(text.replace("$", "$$")) == (text, [])


@given(st.text(alphabet="${}:-+?AB 1\n", max_size=30))
def test_any_text_is_either_expanded_or_refused(text: str) -> None:
    with contextlib.suppress(Malformed, Unset):
        expand(text)


names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)
plain = st.text(alphabet=st.characters(exclude_characters="${}\n\r"), max_size=20)


@given(names, plain)
def test_a_default_is_taken_literally(name: str, default: str) -> None:
    assert substitute(f"${{{name}:-{default}}}", lambda _: None, lambda _: None) == default
