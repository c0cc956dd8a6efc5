"""Texts where a number or a boolean is meant (compose-file.md 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from compose.source.cast import BOOLEANS, INTEGERS, NUMBERS, cast
from compose.source.tree import find
from compose.source.yaml import parse_documents

if TYPE_CHECKING:
    from compose.source.tree import Path
    from tests.compose.projects import Files


def cast_at(pattern: str, text: str) -> tuple[Any, list[str], list[str]]:
    """A text at the place of a pattern: what it becomes, problems, and what was noticed."""
    path: list[str | int] = [
        0 if part == "[]" else part.replace("*", "x") for part in pattern.split(".")
    ]
    value: Any = text
    for part in reversed(path):
        value = [value] if part == 0 else {part: value}
    (tree,) = parse_documents(str(value).replace("'", '"'), "f")
    notices: list[tuple[str, str, str]] = []
    problems = cast(tree, notices)
    at: Path = tuple(path)
    return find(tree, at), [one.what for one in problems], [code for code, _, _ in notices]


@pytest.mark.parametrize("pattern", INTEGERS)
def test_a_text_is_a_whole_number_where_one_is_meant(pattern: str) -> None:
    assert cast_at(pattern, "2") == (2, [], [])
    value, (problem,), _ = cast_at(pattern, "two")
    assert value == "two"
    assert "`two` is not a whole number" in problem
    assert cast_at(pattern, "${N}") == ("${N}", [], [])  # not resolved yet


@pytest.mark.parametrize("pattern", NUMBERS)
def test_a_text_is_a_number_where_one_is_meant(pattern: str) -> None:
    assert cast_at(pattern, "0.5") == (0.5, [], [])
    assert isinstance(cast_at(pattern, "2.0")[0], int)
    assert cast_at(pattern, "half")[1] != []


@pytest.mark.parametrize("pattern", BOOLEANS)
def test_a_text_is_a_boolean_where_one_is_meant(pattern: str) -> None:
    assert cast_at(pattern, "true") == (True, [], [])
    assert cast_at(pattern, "off") == (False, [], ["boolean-word"])
    assert cast_at(pattern, "maybe")[1] != []


def test_what_is_no_number_is_said_with_all_else(files: Files) -> None:
    problems = files.problems(
        """
        services: {web: {image: x, cpus: half, scale: -1, stop_grace_period: 10}}
        networks: {a: {external: maybe, driver: 5}}
        """
    )
    assert [problem.where for problem in problems] == [
        *("compose.yaml:1:34", "compose.yaml:2:26", "compose.yaml:1:70", "compose.yaml:2:41"),
        "compose.yaml:1:47",
    ]


@pytest.mark.parametrize("text", ['"2"', "2.0", '"2.0"', "2e0"])
def test_a_number_is_one_however_it_is_written(files: Files, text: str) -> None:
    digests = {
        files.load(f"services: {{web: {{image: x, cpus: {one}}}}}").services["web"].digest
        for one in (text, "2")
    }
    assert len(digests) == 1


def test_some_booleans_take_no_text(files: Files) -> None:
    problem = files.problem("services: {web: {image: x, use_api_socket: '${V:-true}'}}")
    assert "must be true or false" in problem.what
