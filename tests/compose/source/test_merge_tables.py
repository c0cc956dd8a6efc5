"""Which lists and mappings of a service merge how (compose-file.md 13.2 and 13.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from compose.model.plain import plain_project

if TYPE_CHECKING:
    from tests.compose.projects import Files

RESOURCES = """
networks: {n: }
volumes: {data: }
secrets: {s: {file: ./s}, t: {file: ./t}}
configs: {s: {file: ./s}, t: {file: ./t}}
"""
# Entries of one list: those with a key that is there already replace that entry in its place.
THINNED = [
    ("cap_add", "[A, B]", "[B, C]", ["A", "B", "C"]),
    ("cap_drop", "[A, B]", "[A, C]", ["A", "B", "C"]),
    ("dns", "1.1.1.1", "[2.2.2.2, 1.1.1.1]", ["1.1.1.1", "2.2.2.2"]),
    ("dns_opt", "[ndots:1, a]", "[a, b]", ["ndots:1", "a", "b"]),
    ("dns_search", "a.test", "[b.test, a.test]", ["a.test", "b.test"]),
    ("expose", "[80, 81]", "['81', 82]", ["80", "81", "82"]),
    ("links", "[x]", "[x, 'y:z']", ["x", "y:z"]),
    ("profiles", "[p]", "[q, p]", ["p", "q"]),
    ("tmpfs", "/a", "[/b, /a]", ["/a", "/b"]),
    ("build.tags", "{tags: [a, b]}", "{tags: [b, c]}", ["a", "b", "c"]),
    ("networks.n.aliases", "{n: {aliases: [a]}}", "{n: {aliases: [b, a]}}", ["a", "b"]),
    (
        "networks.n.link_local_ips",
        "{n: {link_local_ips: [169.254.1.1]}}",
        "{n: {link_local_ips: [169.254.1.2, 169.254.1.1]}}",
        ["169.254.1.1", "169.254.1.2"],
    ),
]
# The same for entries that are mappings: what of them tells which one counts.
REPLACED = [
    ("volumes", "['./a:/x:ro', './b:/y']", "['./c:/x']", "source", ["c", "b"]),
    ("devices", "['/dev/a:/dev/x', /dev/y]", "['/dev/b:/dev/x:r']", "source", ["b", "y"]),
    ("secrets", "[s, t]", "[{source: s, mode: 0400}]", "mode", ["0400", None]),
    ("configs", "[s]", "[{source: t, target: /s}]", "source", ["t"]),
    (
        "ports",
        "['80:80', '81:81']",
        "[{target: 80, published: '80', name: n}]",
        "name",
        ["n", None],
    ),
]
# Key and value in a mapping or a list, on either side.
KEYED = ["annotations", "environment", "labels", "sysctls", "build.args", "build.labels"]
KEYED += ["build.additional_contexts", "deploy.labels"]
# What stays as it is, in order, repeats and all.
APPENDED = [
    ("security_opt", "[a]", "[b]", ["a", "b"]),
    ("group_add", "[a]", "[b]", ["a", "b"]),
    ("build.cache_from", "{cache_from: [a, a]}", "{cache_from: [a]}", ["a", "a", "a"]),
]


def merged(files: Files, key: str, base: str, over: str) -> Any:
    """The value at a path of the service, of two files."""
    name = key.partition(".")[0]
    for file, value in (("base.yaml", base), ("over.yaml", over)):
        text = f"services: {{web: {{image: i, {name}: {value}}}, x: {{image: i}}, y: {{image: i}}}}"
        files.write(f"{text}{RESOURCES if file == 'base.yaml' else ''}", file)
    project = files.load(files=("base.yaml", "over.yaml"), profiles=("p",))
    found: Any = plain_project(project)["services"]["web"]
    for part in key.split("."):
        found = found[part]
    return found


@pytest.mark.parametrize(("key", "base", "over", "expected"), THINNED)
def test_an_entry_that_is_there_is_not_there_twice(
    files: Files, key: str, base: str, over: str, expected: list[str]
) -> None:
    assert merged(files, key, base, over) == expected


@pytest.mark.parametrize(("key", "base", "over", "field", "expected"), REPLACED)
def test_a_later_entry_replaces_the_whole_of_an_earlier_one_in_its_place(
    files: Files, key: str, base: str, over: str, field: str, expected: list[str | None]
) -> None:
    found = [entry.get(field) for entry in merged(files, key, base, over)]
    assert [value and value.rpartition("/")[2] for value in found] == expected


@pytest.mark.parametrize("key", KEYED)
@pytest.mark.parametrize("forms", ["mm", "ml", "lm", "ll"])
def test_keys_and_values_merge_by_key_in_either_form(files: Files, key: str, forms: str) -> None:
    values = {
        "m": ("{a: one, b: one}", "{b: two, c: two}"),
        "l": ("[a=one, b=one]", "[b=two, c=two]"),
    }
    base, over = values[forms[0]][0], values[forms[1]][1]
    if "." in key:
        base, over = (f"{{{key.partition('.')[2]}: {value}}}" for value in (base, over))
    found = merged(files, key, base, over)
    last = {name: value.rpartition("/")[2] for name, value in found.items()}
    assert last == {"a": "one", "b": "two", "c": "two"}


@pytest.mark.parametrize(("key", "base", "over", "expected"), APPENDED)
def test_other_lists_are_appended(
    files: Files, key: str, base: str, over: str, expected: list[str]
) -> None:
    assert merged(files, key, base, over) == expected


def test_the_later_of_two_environment_files_is_read_in_the_place_of_the_earlier(
    files: Files,
) -> None:
    files.write("A=a\nB=a\n", "a.env")
    files.write("A=b\n", "b.env")
    assert merged(files, "environment", "{}", "{}\n    , env_file: [a.env, b.env, a.env]") == {
        "A": "b",
        "B": "a",
    }


@pytest.mark.parametrize("section", ["networks", "volumes"])
def test_labels_of_resources_merge_by_key(files: Files, section: str) -> None:
    use = "networks: [own]" if section == "networks" else "volumes: ['own:/x']"
    files.write(f"services: {{web: {{image: x, {use}}}}}\n{section}: {{own: {{labels: [a=1]}}}}")
    files.write(f"{section}: {{own: {{labels: {{b: 2}}}}}}", "over.yaml")
    project = files.load(files=("compose.yaml", "over.yaml"))
    assert plain_project(project)[section]["own"]["labels"] == {"a": "1", "b": "2"}
