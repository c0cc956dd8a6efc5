"""The grammar of the keys that detach, and finding them in what is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.streams.keys import DEFAULT, KeyFilter, NoKeys, parse_keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (DEFAULT, b"\x10\x11"),
        ("a", b"a"),
        ("a,ctrl-z,#", b"a\x1a#"),
        ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x00\x1b\x1c\x1d\x1e\x1f"),
    ],
)
def test_keys_are_what_a_terminal_sends_for_them(text: str, keys: bytes) -> None:
    assert parse_keys(text) == keys


@pytest.mark.parametrize("text", ["", "ab", "ctrl-", "ctrl-A", "a,", "é", "ctrl-p ctrl-q"])
def test_what_is_no_key_is_named(text: str) -> None:
    with pytest.raises(NoKeys, match="is not a key"):
        parse_keys(text)


def test_a_beginning_is_held_until_it_is_known_to_be_none() -> None:
    keys = KeyFilter(b"\x10\x11")
    assert keys.feed(b"a\x10") == (b"a", False)
    assert keys.feed(b"b") == (b"\x10b", False)
    assert keys.feed(b"\x10") == (b"", False)
    assert keys.feed(b"\x10") == (b"\x10", False)
    assert keys.feed(b"\x11rest") == (b"", True)


@given(
    st.binary(min_size=1, max_size=3),
    st.lists(st.lists(st.sampled_from(b"ab\x10"), max_size=4).map(bytes)),
)
def test_what_is_typed_is_passed_on_up_to_the_keys(keys: bytes, typed: list[bytes]) -> None:
    found, passed, complete = KeyFilter(keys), b"", False
    for text in typed:
        part, complete = found.feed(text)
        passed += part
        if complete:
            break
    whole = b"".join(typed)
    assert complete == (keys in whole)
    if complete:
        assert passed == whole[: whole.index(keys)]
    else:
        assert whole.startswith(passed)
        assert keys.startswith(whole[len(passed) :])
