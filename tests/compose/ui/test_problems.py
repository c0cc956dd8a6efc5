"""Problems as printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.ui.problems import format_problem, print_problems, split_problems
from engine import NetworkProblem, Problem

if TYPE_CHECKING:
    import pytest


def test_a_problem_reads_code_where_what_hint() -> None:
    problem = Problem("no such service", where="compose.yaml:9:7", hint="look", code="unknown")
    assert format_problem(problem) == (
        "error: unknown\ncompose.yaml:9:7: no such service\nhint: look"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert format_problem(NetworkProblem("it broke")) == "error: network\nit broke"


def test_a_problem_does_not_move_the_cursor() -> None:
    problem = Problem("of a registry: \x1b]0;title\x07\x1b[2J\r\x9b1A\n\tlisted", hint="\x1b[8m")
    assert format_problem(problem) == (
        "error: problem\nof a registry: ?]0;title??[2J??1A\n\tlisted\nhint: ?[8m"
    )


def test_groups_are_unwrapped_each_problem_once_and_bugs_kept_apart() -> None:
    one, other, bug = Problem("one"), Problem("other"), KeyError("bug")
    group = ExceptionGroup("all", [one, ExceptionGroup("inner", [other, Problem("one"), bug])])
    problems, bugs = split_problems(group)
    assert [problem.what for problem in problems] == ["one", "other"]
    assert bugs is not None
    assert bugs.subgroup(KeyError) is not None


def test_several_problems_have_a_blank_line_between(capsys: pytest.CaptureFixture[str]) -> None:
    print_problems([Problem("one"), Problem("two")])
    assert capsys.readouterr().err == "error: problem\none\n\nerror: problem\ntwo\n"
