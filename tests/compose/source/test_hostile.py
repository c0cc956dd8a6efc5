"""Files that are made to hurt come to a problem with its place, soon (bench/fuzz_loader.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.compose.projects import Files

SERVICE = "services:\n  web:\n    image: x\n    "


@pytest.mark.timeout(100)
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x-a: " + "[" * 20_000, "nested more than"),
        ("\n".join(" " * n + "a:" for n in range(500)), "nested more than"),
        ("x-a: " + "a" * 2_000_000, "characters, more than"),
        (SERVICE + "command: '" + "${A:-" * 500 + "}" * 500 + "'", "nested more than"),
        (SERVICE + "ports: [" + "1-65535," * 50 + "]", "ports are published"),
        (SERVICE + "mem_limit: " + "9" * 100_000, "not a number of bytes"),
        (SERVICE + "scale: 1000000000", "containers are more than"),
        (SERVICE + "cpus: 1e400", "inf is not a number"),
        (SERVICE + "restart: on-failure:" + "9" * 5_000, "is not valid"),
        (
            "services: {"
            + "".join(f"s{n}: {{extends: s{n + 1}}}," for n in range(1_000))
            + "s1000: {image: x}}",
            "extend each other in a row",
        ),
    ],
    ids=lambda value: value[:40] if len(value) < 50 else "",
)
def test_what_is_too_much_is_refused(files: Files, text: str, what: str) -> None:
    problems = files.problems(text)
    assert what in problems[0].what
    assert problems[0].where is not None


@pytest.mark.timeout(100)
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("A0=xx\n" + "".join(f"A{n}=$A{n - 1}$A{n - 1}\n" for n in range(1, 40)), "come to more"),
        ("A=1\n" * 60_000, "sets more than"),
        ("A=" + "${A:-" * 20_000, "is not closed"),
    ],
    ids=["doubled", "many", "open"],
)
def test_so_are_environment_files(files: Files, text: str, what: str) -> None:
    files.write(SERVICE)
    (files.directory / ".env").write_text(text)
    problem = files.problem()
    assert what in problem.what
    assert problem.where is not None
    assert problem.where.startswith(".env:")


def test_a_long_number_is_a_float_as_with_the_reference(files: Files) -> None:
    project = files.load(SERVICE + "environment: {A: " + "9" * 10_000 + ", B: 0x" + "f" * 999 + "}")
    assert project.services["web"].environment == {"A": "+Inf", "B": "+Inf"}
