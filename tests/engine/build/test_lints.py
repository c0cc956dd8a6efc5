"""What is said of Dockerfiles that are allowed, and seldom meant: BuildKit's build checks."""

from __future__ import annotations

import pytest

from engine import BuildSpec, check_build
from engine.errors import BuildProblem

CASES = [
    ("FROM a AS One", ["StageNameCasing"]),
    ("FROM a as one\nRUN x", ["FromAsCasing"]),
    ("from a as one\nrun x", []),
    ("FROM a\nRUN x\nrun y\nRUN z", ["ConsistentInstructionCasing"]),
    ("FROM a AS x\nFROM b AS x", ["DuplicateStageName"]),
    ("ARG known=1\nFROM a:$known\nFROM b:${unknown}\nFROM c:${other:-1}", ["UndefinedArgInFrom"]),
    ("FROM --platform=$TARGETPLATFORM a", ["RedundantTargetPlatform"]),
    ("FROM --platform=$BUILDPLATFORM a", []),
    ("FROM a\nCMD x", ["JSONArgsRecommended"]),
    ("FROM a\nCMD ['x']", ["JSONLooksLike"]),
    ("FROM a\nRUN ['x', 'y']", ["JSONLooksLike"]),
    ('FROM a\nCMD ["x"]\nRUN [ -e /x ]', []),
    ('FROM a\nCMD ["x"]\nCMD ["y"]\nFROM b\nCMD ["z"]', ["MultipleInstructionsDisallowed"]),
    ("FROM a\nMAINTAINER me", ["MaintainerDeprecated"]),
    ("FROM a\nENV a b\nENV c=d\nLABEL e f", ["LegacyKeyValueFormat", "LegacyKeyValueFormat"]),
    ("FROM a\nWORKDIR x\nWORKDIR y", ["WorkdirRelativePath"]),
    ("FROM a\nWORKDIR /x\nWORKDIR y", []),
    ("FROM a\nARG TOKEN\nENV DB_PASSWORD=x PUBLIC_KEY=y", ["SecretsUsedInArgOrEnv"] * 2),
    ("# check=skip=JSONArgsRecommended\nFROM a\nCMD x", []),
    ("# check=skip=all\nFROM a AS One\nCMD x", []),
]


def asked(text: str, **more: object) -> BuildSpec:
    return BuildSpec(context="/", dockerfile_inline=text, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "rules"), CASES)
def test_what_is_doubtful_has_a_name(text: str, rules: list[str]) -> None:
    assert [lint.rule for lint, _ in check_build(asked(text))] == rules


def test_it_is_shown_with_its_line() -> None:
    ((lint, lines),) = check_build(asked("FROM a\n\nCMD x\n"))
    assert str(lint).endswith("related to OS signals (line 3)")
    assert ">>> CMD x" in lines


def test_an_argument_wins_over_the_directive() -> None:
    text = "# check=skip=all\nFROM a\nCMD x"
    given = {"BUILDKIT_DOCKERFILE_CHECK": "skip=none"}
    assert len(check_build(asked(text, args=given))) == 1


@pytest.mark.parametrize("context", ["https://127.0.0.1:1/x.git", __file__])
def test_what_would_have_to_be_fetched_is_refused(context: str) -> None:
    with pytest.raises(BuildProblem, match="would have to be fetched"):
        check_build(BuildSpec(context=context))


def test_what_cannot_be_built_is_a_problem() -> None:
    with pytest.raises(BuildProblem):
        check_build(asked("FROM a\nRUNN x"))
