"""The YAML layer (compose-file.md 3)."""

from __future__ import annotations

import textwrap

import pytest

from compose.errors import DuplicateKey, InvalidValue, KeyNotString, ProjectProblem, YamlSyntax
from compose.source.tree import Map, Mark, locate
from compose.source.yaml import parse_documents


def parse(text: str) -> Map:
    (document,) = parse_documents(textwrap.dedent(text), "compose.yaml")
    return document


def refused(text: str) -> ProjectProblem:
    with pytest.raises(ProjectProblem) as caught:
        parse(text)
    return caught.value


def test_every_node_keeps_its_line_and_column() -> None:
    tree = parse("a:\n  - x\n  - {b: 1}\n")
    assert locate(tree, ("a", 1, "b")) == Mark("compose.yaml", 3, 9)
    assert locate(tree, ("a", 1, "b"), key=True) == Mark("compose.yaml", 3, 6)
    assert locate(tree, ("a", 0)) == Mark("compose.yaml", 2, 5)


def test_a_node_that_is_not_there_is_located_by_the_one_around_it() -> None:
    assert locate(parse("a:\n  b: 1\n"), ("a", "c", "d")).line == 2


def test_quoted_scalars_are_strings() -> None:
    assert parse("a: '1'\nb: \"true\"\nc: !!str 12\n") == {"a": "1", "b": "true", "c": "12"}


def test_a_duplicate_key_names_both_lines() -> None:
    problem = refused("a: 1\nb: 2\na: 3\n")
    assert isinstance(problem, DuplicateKey)
    assert problem.where == "compose.yaml:3:1"
    assert "line 1" in problem.what


@pytest.mark.parametrize("key", ["1", "true", "~", "[a]"])
def test_a_key_must_be_a_string(key: str) -> None:
    assert isinstance(refused(f"{key}: x\n"), KeyNotString)


def test_aliases_are_copies_with_the_positions_of_their_anchor() -> None:
    tree = parse("a: &x {b: 1}\nc: *x\n")
    assert tree == {"a": {"b": 1}, "c": {"b": 1}}
    assert tree["a"] is not tree["c"]
    assert locate(tree, ("c", "b")).line == 1


def test_an_unknown_anchor_is_named_with_the_nearest() -> None:
    problem = refused("a: &base 1\nb: *bsae\n")
    assert problem.hint == "did you mean `base`?"


def test_an_anchor_inside_of_itself_is_a_cycle() -> None:
    assert "cycle" in refused("a: &x [*x]\n").what


def test_merge_keys_are_shallow_and_explicit_keys_win() -> None:
    tree = parse(
        """
        one: &one {a: 1, deep: {x: 1}}
        two: &two {a: 2, b: 2}
        both: {<<: [*one, *two], deep: {y: 1}}
        """
    )
    assert tree["both"] == {"a": 1, "b": 2, "deep": {"y": 1}}


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert parse("'<<': 1\n") == {"<<": 1}


def test_merging_a_scalar_is_refused() -> None:
    assert isinstance(refused("a: &x 1\n<<: *x\n"), YamlSyntax)


def test_tags_of_the_standard_say_what_a_scalar_is() -> None:
    tree = parse("a: !!int '0x10'\nb: !!bool \"true\"\nc: !!null ''\nd: !!binary aMO8\n")
    assert tree == {"a": 16, "b": True, "c": None, "d": "h\u00fc"}
    assert refused("a: !!binary x\n").where == "compose.yaml:1:4"


def test_documents_are_separate_and_know_the_anchors_of_those_before() -> None:
    assert parse_documents("a: 1\n---\n---\nb: 2\n", "f") == [{"a": 1}, {"b": 2}]
    assert parse_documents("a: &x 1\n---\nb: *x\n", "f") == [{"a": 1}, {"b": 1}]


def test_an_empty_file_has_no_document() -> None:
    assert parse_documents("# nothing\n", "f") == []


def test_the_top_level_must_be_a_mapping() -> None:
    assert isinstance(refused("- a\n"), InvalidValue)


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse("\ufeffa: 1\n") == {"a": 1}


def test_reset_and_override_are_remembered() -> None:
    tree = parse("a: !reset null\nb: !override [1]\nc: [1, !reset 2]\nd: !override '1'\n")
    assert tree == {"b": [1], "c": [1], "d": "1"}
    assert tree.directives == {"a": "reset", "b": "override", "d": "override"}


def test_reset_and_override_are_said_by_aliases_too() -> None:
    tree = parse("x: &x !reset []\ny: &y !override [1]\na: *x\nb: *y\nc: [1, *x]\n")
    assert tree == {"y": [1], "b": [1], "c": [1]}
    assert tree.directives == {"x": "reset", "y": "override", "a": "reset", "b": "override"}


def test_an_unknown_tag_is_refused_with_the_nearest() -> None:
    assert refused("a: !rset x\n").hint == "did you mean `!reset`?"


def test_a_bomb_of_aliases_is_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    assert "100000 nodes" in refused("\n".join(lines)).what


def test_a_bomb_of_documents_is_stopped() -> None:
    text = f"a: &a [{'x, ' * 10_000}]\n" + "---\nb: *a\n" * 20
    with pytest.raises(YamlSyntax, match="100000 nodes"):
        parse_documents(text, "f")


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a:\n\tb: 1\n", 2, "spaces"),
        ("a: 1\n b: 2\n", 2, "indented"),
        ("a: @x\n", 1, "quotes"),
        ("a:\n  - x\n  b: 1\n", 3, "indented"),
        ("a: [1,\n2\n", 1, None),
        ("b: 1\na: 'x\n\n", 2, None),
        ("a: \x01\n", None, None),
    ],
)
def test_a_syntax_error_has_its_line_and_a_hint(
    text: str, line: int | None, hint: str | None
) -> None:
    problem = refused(text)
    assert isinstance(problem, YamlSyntax)
    assert problem.where is not None
    assert line is None or problem.where.startswith(f"compose.yaml:{line}:")
    assert hint is None or hint in str(problem.hint)
