""".dockerignore: engine.md D6.15, the cases of moby/patternmatcher's documentation among them."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.build.ignore import Ignore, IgnoreError, parse_ignore
from engine.build.tree import Selection, find_source

if TYPE_CHECKING:
    from pathlib import Path

MATRIX = [
    ("a", "a", True),
    ("a", "b", False),
    ("a", "a/b/c", True),
    ("a", "b/a", False),
    ("/a", "a", True),
    ("a/", "a", True),
    ("./a/../a", "a", True),
    ("*", "a/b", True),
    ("*.o", "a.o", True),
    ("*.o", "d/a.o", False),
    ("*/a.o", "d/a.o", True),
    ("*/a.o", "a.o", False),
    ("**/a.o", "a.o", True),
    ("**/a.o", "d/e/a.o", True),
    ("**/a", "xa", False),
    ("a/**", "a/b/c", True),
    ("a/**", "a", False),
    ("a/**/z", "a/z", True),
    ("a/**/z", "a/b/c/z", True),
    ("a/**/z", "az", False),
    ("**", "a", True),
    ("a?", "ab", True),
    ("a?", "a/", False),
    ("a?b", "a/b", False),
    ("[a-c]x", "bx", True),
    ("[a-c]x", "dx", False),
    ("[^a-c]x", "dx", True),
    ("[^a]x", "ax", False),
    ("b[^a]x", "b/x", True),
    ("**x", "a/bx", True),
    ("**x*", "bx", False),
    ("**x*", "b/x1", True),
    ("a**", "ab/c", True),
    ("../a", "a", False),
    ("/../a", "a", True),
    ("/", "a", False),
    (r"a\*b", "a*b", True),
    (r"a\*b", "axb", False),
    ("a.b", "axb", False),
    ("a+(b)", "a+(b)", True),
    ("A", "a", False),
    (".", "a", False),
    ("# a", "# a", False),
    ("  a  ", "a", True),
    ("*\n!keep", "keep", False),
    ("*\n!keep", "other", True),
    ("*\n!a/keep", "a/keep", False),
    ("*\n!a/keep", "a/other", True),
    ("!keep\n*", "keep", True),
    ("a\n!a/b\na/b/c", "a/b/d", False),
    ("a\n!a/b\na/b/c", "a/b/c", True),
    ("**/*.md\n!README.md", "README.md", False),
    ("**/*.md\n!README.md", "docs/README.md", True),
    ("! keep", "keep", False),
]


@pytest.mark.parametrize(("text", "path", "excluded"), MATRIX)
def test_the_last_pattern_that_matches_decides(text: str, path: str, excluded: bool) -> None:
    assert parse_ignore(text).excludes(path.rstrip("/")) is excluded


@pytest.mark.parametrize("text", ["[", "[a", "a[]b", "[a-", "x\\", "!"])
def test_a_pattern_that_is_none_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(IgnoreError) as caught:
        parse_ignore(f"# comment\n\n{text}\n")
    assert caught.value.number == 3


def test_the_rule_that_excludes_is_told_with_its_line() -> None:
    ignore = parse_ignore("*.o\n\nbuild\n")
    assert ignore.reason(ignore.verdict("build/x/y")) == ("build", 3)


def walked(root: Path, ignore: Ignore) -> list[str]:
    fd = os.open(root, os.O_PATH)
    try:
        (top,) = find_source(fd, ".", ignore)
        return [entry.relative for entry in Selection(ignore).walk(fd, top) if entry.relative]
    finally:
        os.close(fd)


def test_the_walk_goes_into_an_excluded_directory_for_what_is_brought_back(tmp_path: Path) -> None:
    for name in ("a/b/keep", "a/b/other", "a/c/other", "d/keep"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    ignore = parse_ignore("*\n!a/b/keep\n")
    assert walked(tmp_path, ignore) == ["a", "a/b", "a/b/keep"]


def test_a_wildcard_can_bring_back_too(tmp_path: Path) -> None:
    for name in ("a/x.py", "a/x.o", "b/y.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert walked(tmp_path, parse_ignore("*\n!**/*.py\n")) == ["a", "a/x.py", "b", "b/y.py"]


names = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@given(st.lists(st.sampled_from(["a", "*", "**/b", "!a/b", "!**/a", "a/*", "?", "!b"])), paths)
def test_the_walks_verdict_is_the_paths_verdict(patterns: list[str], path: str) -> None:
    """Judging a directory first and a file then comes to the same as judging the whole path."""
    ignore = parse_ignore("\n".join(patterns))
    verdict, done = None, ""
    for part in path.split("/"):
        done = f"{done}/{part}".lstrip("/")
        verdict = ignore.judge(done, verdict)
    assert verdict is not None
    assert verdict.excluded is ignore.excludes(path)


@given(paths)
def test_a_path_is_a_pattern_that_matches_itself(path: str) -> None:
    assert parse_ignore(path).excludes(path)


def model_matches(pattern: str, path: str) -> bool:
    """What moby/patternmatcher says of one cleaned pattern, by trying, without expressions."""
    if pattern.startswith("**") and not set("*?[]\\/") & set(pattern[2:]):
        return path.endswith(pattern[2:])
    if not pattern:
        return not path
    if pattern.startswith("**"):
        rest = pattern[2:].removeprefix("/")
        ends = [at + 1 for at, char in enumerate(path) if char == "/"]
        return not rest or any(model_matches(rest, path[at:]) for at in (0, *ends))
    if pattern[0] == "*":
        reach = len(path.partition("/")[0])
        return any(model_matches(pattern[1:], path[at:]) for at in range(reach + 1))
    if not path:
        return False
    if pattern[0] == "?":
        return path[0] != "/" and model_matches(pattern[1:], path[1:])
    if pattern[0] == "[":
        chosen, _, rest = pattern[1:].partition("]")
        among = path[0] in chosen.removeprefix("^")
        return among is not chosen.startswith("^") and model_matches(rest, path[1:])
    literal = pattern[1] if pattern[0] == "\\" else pattern[0]
    rest = pattern[2:] if pattern[0] == "\\" else pattern[1:]
    return path[0] == literal and model_matches(rest, path[1:])


def model_excludes(lines: list[str], path: str) -> bool:
    """The last line that names the path, or a directory above it, decides."""
    parts = path.split("/")
    above = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    excluded = False
    for line in lines:
        pattern = posixpath.normpath(line.removeprefix("!"))
        if pattern != "." and any(model_matches(pattern, one) for one in above):
            excluded = not line.startswith("!")
    return excluded


pieces = st.sampled_from(["a", "b", ".", "*", "?", "**", "/", "[ab]", "[^a]", "\\*", "a/b"])
patterns = st.lists(pieces, min_size=1, max_size=5).map("".join).map(lambda one: one.lstrip("/"))
ignore_lines = st.tuples(st.sampled_from(["", "", "!"]), patterns.filter(bool)).map("".join)


@given(st.lists(ignore_lines, max_size=5), paths)
def test_a_path_is_excluded_as_trying_says(lines: list[str], path: str) -> None:
    assert parse_ignore("\n".join(lines)).excludes(path) is model_excludes(lines, path)
