"""The Dockerfile parser: engine.md D6.1 to D6.6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.build import instructions as ins
from engine.build.dockerfile import parse_dockerfile
from engine.errors import BuildProblem


def body(text: str) -> tuple[ins.Instruction, ...]:
    return parse_dockerfile(f"FROM scratch\n{text}").stages[0].instructions


def only(text: str) -> ins.Instruction:
    (instruction,) = body(text)
    return instruction


def refused(text: str) -> BuildProblem:
    with pytest.raises(BuildProblem) as caught:
        parse_dockerfile(text)
    return caught.value


def place_of_problem(text: str) -> str:
    """Where the problem of a text is; at its start where it has none."""
    try:
        parse_dockerfile(text)
    except BuildProblem as problem:
        return problem.where or "nowhere"
    return "Dockerfile:1:1"


# Lines and directives


def test_comments_go_even_inside_a_continuation() -> None:
    run = only("RUN one \\\n  # not this\n\t# nor this\n  two")
    assert isinstance(run, ins.Run)
    assert run.command.words == ("one   two",)


def test_a_hash_inside_a_line_is_no_comment() -> None:
    run = only("RUN echo # hello")
    assert isinstance(run, ins.Run)
    assert run.command.words == ("echo # hello",)


def test_blanks_may_follow_the_continuation_character() -> None:
    run = only("RUN a \\  \t\n b")
    assert isinstance(run, ins.Run)
    assert run.command.words == ("a  b",)


def test_a_doubled_escape_at_the_end_continues_nothing() -> None:
    assert len(body("RUN a \\\\\nRUN b")) == 2


def test_empty_lines_in_a_continuation_are_skipped_with_a_warning() -> None:
    parsed = parse_dockerfile("FROM scratch\nRUN a \\\n\n  b\n")
    assert parsed.warnings == ("Dockerfile:3: empty continuation line",)
    run = parsed.stages[0].instructions[0]
    assert isinstance(run, ins.Run)
    assert run.command.words == ("a   b",)


def test_a_continuation_at_the_end_of_the_file_just_ends() -> None:
    run = only("RUN a \\")
    assert isinstance(run, ins.Run)
    assert run.command.words == ("a",)


def test_windows_line_ends_and_a_bom_are_nothing_special() -> None:
    parsed = parse_dockerfile("\ufeff# escape=`\r\nFROM scratch\r\nRUN a `\r\n b\r\n")
    run = parsed.stages[0].instructions[0]
    assert isinstance(run, ins.Run)
    assert run.command.words == ("a  b",)


def test_a_directive_after_a_comment_is_a_comment() -> None:
    assert parse_dockerfile("# hello\n# escape=`\nFROM scratch").escape == "\\"


def test_directives_are_case_insensitive_and_may_stand_together() -> None:
    parsed = parse_dockerfile("#Syntax=docker/dockerfile:1\n# ESCAPE = `\nFROM scratch")
    assert parsed.escape == "`"


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("# escape=`\n# escape=`\nFROM a", "dockerfile-syntax", "Dockerfile:2:1"),
        ("# escape=x\nFROM a", "dockerfile-syntax", "Dockerfile:1:1"),
        ("# syntax=example/own:1\nFROM a", "not-built-yet", "Dockerfile:1:1"),
        ("", "no-from", "Dockerfile:1:1"),
        ("RUN a", "dockerfile-syntax", "Dockerfile:1:1"),
        ("FROM a\nRUNN b", "unknown-instruction", "Dockerfile:2:1"),
        ("FROM", "dockerfile-syntax", "Dockerfile:1:1"),
        ("FROM a b", "dockerfile-syntax", "Dockerfile:1:6"),
        ("FROM a AS 1x", "dockerfile-syntax", "Dockerfile:1:6"),
        ("FROM a AS scratch", "dockerfile-syntax", "Dockerfile:1:6"),
        ("FROM a\nCOPY x", "dockerfile-syntax", "Dockerfile:2:6"),
        ("FROM a\n  COPY --form=x a b", "dockerfile-syntax", "Dockerfile:2:8"),
        ("FROM a\nCOPY --from=a --from=b c d", "dockerfile-syntax", "Dockerfile:2:15"),
        ("FROM a\nRUN --security=odd x", "dockerfile-syntax", "Dockerfile:2:20"),
        ("FROM a\nRUN --device=vendor.com/gpu x", "not-built-yet", "Dockerfile:2:5"),
        ("FROM a\nCOPY --checksum=x a b", "dockerfile-syntax", "Dockerfile:2:6"),
        ("FROM a\nADD --parents a b", "dockerfile-syntax", "Dockerfile:2:5"),
        ("FROM a\nENV a=1 b", "dockerfile-syntax", "Dockerfile:2:9"),
        ("FROM a\nENV a='1", "dockerfile-syntax", "Dockerfile:2:7"),
        ("FROM a\nLABEL =x", "dockerfile-syntax", "Dockerfile:2:7"),
        ("FROM a\nENV a", "dockerfile-syntax", "Dockerfile:2:5"),
        ("FROM a\nSHELL sh -c", "dockerfile-syntax", "Dockerfile:2:7"),
        ("FROM a\nONBUILD FROM b", "dockerfile-syntax", "Dockerfile:2:9"),
        ("FROM a\nONBUILD ONBUILD RUN b", "dockerfile-syntax", "Dockerfile:2:9"),
        ("FROM a\nHEALTHCHECK ALWAYS x", "dockerfile-syntax", "Dockerfile:2:13"),
        ("FROM a\nHEALTHCHECK --retries=\u00b2 CMD x", "dockerfile-syntax", "Dockerfile:2:25"),
        ("FROM a\nHEALTHCHECK --interval=5 CMD x", "dockerfile-syntax", "Dockerfile:2:26"),
        ("FROM a\nHEALTHCHECK --timeout=5us CMD x", "dockerfile-syntax", "Dockerfile:2:27"),
        ("FROM a\nRUN <<EOF\nx", "dockerfile-syntax", "Dockerfile:2:1"),
        ("FROM a\nRUN --network=own x", "dockerfile-syntax", "Dockerfile:2:19"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(text: str, code: str, where: str) -> None:
    problem = refused(text)
    assert (problem.code, problem.where) == (code, where)


def test_an_instruction_nearly_right_gets_a_suggestion() -> None:
    assert refused("FROM a\nENTRYPONT b").hint == "did you mean ENTRYPOINT?"


def test_a_flag_nearly_right_gets_a_suggestion() -> None:
    assert refused("FROM a\nCOPY --chwn=1 a b").hint == "did you mean --chown?"


def test_positions_in_a_continued_line_are_those_of_its_own_lines() -> None:
    problem = refused("FROM a\nENV a=1 \\\n    b=2 \\\n    c")
    assert problem.where == "Dockerfile:4:5"


# JSON and shell form


@pytest.mark.parametrize(
    ("text", "words", "shell"),
    [
        ('["a", "b c"]', ("a", "b c"), False),
        ("[ ]", (), False),
        ("['a']", ("['a']",), True),
        ('["a", 1]', ('["a", 1]',), True),
        ('["a"] b', ('["a"] b',), True),
        ('["a",]', ('["a",]',), True),
        ("a b", ("a b",), True),
        ("[" * 5000, ("[" * 5000,), True),
    ],
)
def test_json_counts_only_as_a_whole_list_of_strings(
    text: str, words: tuple[str, ...], shell: bool
) -> None:
    start = only(f"CMD {text}")
    assert isinstance(start, ins.Start)
    assert start.command == ins.Command(words=words, shell=shell)


# Heredocs


def test_several_heredocs_follow_one_line() -> None:
    copy = only("COPY <<a <<'b' /d/\n1 $x\na\n2 $x\nb")
    assert isinstance(copy, ins.Copy)
    assert [(doc.name, doc.body, doc.expand) for doc in copy.heredocs] == [
        ("a", "1 $x\n", True),
        ("b", "2 $x\n", False),
    ]
    assert copy.sources == ()


def test_a_heredoc_with_a_dash_loses_its_leading_tabs() -> None:
    run = only("RUN <<-EOF\n\tone\n\t\ttwo\n\tEOF")
    assert isinstance(run, ins.Run)
    assert run.heredocs[0].body == "one\ntwo\n"


def test_instructions_after_a_heredoc_have_their_own_lines() -> None:
    run, user = body("RUN <<EOF\nUSER root\nEOF\nUSER nobody")
    assert (run.where, user.where) == ("Dockerfile:2:1", "Dockerfile:5:1")


@pytest.mark.parametrize("text", ["RUN echo $((1<<2))", "RUN cat <<<word", "ENV a=<<EOF"])
def test_what_only_looks_like_a_heredoc_is_none(text: str) -> None:
    assert only(text).line.heredocs == ()


# Instructions


def test_env_has_two_forms() -> None:
    new, old = body('ENV a=1 b="2 3" c=4\\ 5\nENV d  6 7=8')
    assert isinstance(new, ins.Env)
    assert isinstance(old, ins.Env)
    assert new.pairs == (("a", "1"), ("b", '"2 3"'), ("c", "4\\ 5"))
    assert old.pairs == (("d", "6 7=8"),)


def test_arg_may_name_several_with_and_without_a_default() -> None:
    arg = only("ARG a b=1 c=")
    assert isinstance(arg, ins.Arg)
    assert arg.pairs == (("a", None), ("b", "1"), ("c", ""))


def test_flags_come_before_the_arguments_and_end_with_two_dashes() -> None:
    run = only("RUN --mount=type=cache,target=/a --network=none -- --mount=x")
    assert isinstance(run, ins.Run)
    assert run.mounts == ("type=cache,target=/a",)
    assert run.network == "none"
    assert run.command.words == ("--mount=x",)


def test_copy_keeps_its_flags() -> None:
    copy = only("COPY --from=b --chown=1:2 --chmod=755 --exclude=*.o --exclude=x --link a c /d/")
    assert isinstance(copy, ins.Copy)
    assert (copy.source_stage, copy.chown, copy.chmod) == ("b", "1:2", "755")
    assert copy.excludes == ("*.o", "x")
    assert (copy.sources, copy.target) == (("a", "c"), "/d/")


def test_healthcheck_has_seconds() -> None:
    check = only("HEALTHCHECK --interval=1m30s --timeout=500ms --retries=4 CMD curl x")
    assert isinstance(check, ins.Healthcheck)
    assert check.test == ("CMD-SHELL", "curl x")
    assert (check.interval_s, check.timeout_s, check.retries) == (90.0, 0.5, 4)


def test_stages_have_names_in_lower_case() -> None:
    parsed = parse_dockerfile("ARG v=1\nFROM a:$v AS Base\nFROM base\nRUN x")
    assert [stage.name for stage in parsed.stages] == ["base", "1"]
    assert parsed.arguments[0].pairs == (("v", "1"),)


@given(st.text(max_size=80))
def test_any_text_parses_or_is_refused_with_a_place(text: str) -> None:
    assert place_of_problem(f"FROM scratch\n{text}").startswith("Dockerfile:")


words = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=12)


@given(st.lists(words, min_size=1, max_size=4))
def test_json_form_comes_back_as_it_was_given(argv: list[str]) -> None:
    import json

    run = only(f"RUN {json.dumps(argv)}")
    assert isinstance(run, ins.Run)
    assert run.command == ins.Command(words=tuple(argv), shell=False)


@given(st.lists(st.sampled_from(["RUN a \\", "# b", "", "  c", "USER x", "\\", "ENV a=1 \\"])))
def test_every_character_of_an_instruction_has_its_place(lines: list[str]) -> None:
    text = "\n".join(["FROM scratch", *lines])
    try:
        parsed = parse_dockerfile(text)
    except BuildProblem:
        return
    physical = text.split("\n")
    for instruction in parsed.stages[0].instructions:
        for offset, char in enumerate(instruction.line.text):
            number, column = instruction.line.position(offset)
            assert physical[number - 1][column - 1] == char
