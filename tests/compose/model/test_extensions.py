"""`x-` keys in every structured object are kept, and mean nothing (compose-file.md 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from compose.model.encoding import decode, encode
from compose.model.plain import escaped, plain_project
from compose.source.schema import validator
from compose.source.tree import plain
from compose.source.write import to_yaml
from compose.source.yaml import parse_documents
from tests.compose.model import test_whole_format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.compose.projects import Files

SCHEMA: Any = validator().schema
X = {"x-kept": {"list": [1, "$$", {"a": None}]}}
# Old forms and those that become others: what is written there belongs to the new form.
UNREACHED = {"external", "extends", "include"}
BARE = """
services:
  web:
    image: x
    healthcheck: {x-a: 1}
    logging: {x-b: 2}
    depends_on: {x-db: {condition: service_started, x-c: 3}}
    environment: {x-name: value}
    networks: {x-net: {x-d: 4}}
  x-db: {image: y}
networks: {x-net: {ipam: {x-f: 6}}}
"""


def with_an_extension_everywhere(value: Any, schema: Any) -> Any:
    """A document with an `x-` key in each mapping that the schema allows one in."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        return [with_an_extension_everywhere(one, schema.get("items", {})) for one in value]
    if not isinstance(value, dict):
        return value
    patterns = schema.get("patternProperties", {})
    named: Any = next((inner for key, inner in patterns.items() if key != "^x-"), {})
    inner = schema.get("properties", {})
    whole = {
        key: one if key in UNREACHED else with_an_extension_everywhere(one, inner.get(key, named))
        for key, one in value.items()
    }
    return whole | X if "^x-" in patterns else whole


def places(value: Any, path: str = "") -> Iterator[str]:
    """The paths of the extensions of a document."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if key == "x-kept":
            yield path
        elif isinstance(inner, dict | list):
            yield from places(inner, f"{path}.{key}")


@pytest.fixture
def everywhere(files: Files) -> Any:
    files.write("E=1", "e.env")
    files.write("from=file", "l.env")
    (tree,) = parse_documents(test_whole_format.TEXT, "x")
    return with_an_extension_everywhere(plain(tree), SCHEMA)


def test_they_are_printed_where_they_were_written(files: Files, everywhere: Any) -> None:
    printed = plain_project(files.load(to_yaml(everywhere), profiles=("p",)))
    found = set(places(printed))
    assert set(places(everywhere)) - found == set()
    assert len(found) > 50
    assert printed["services"]["web"]["build"]["x-kept"] == {"list": [1, "$", {"a": None}]}


def test_they_read_back_as_the_same(files: Files, everywhere: Any) -> None:
    project = files.load(to_yaml(everywhere), profiles=("p",))
    printed = escaped(plain_project(project))
    files.write(to_yaml(printed), "again.yaml")
    again = files.load(files=("again.yaml",), profiles=("p",))
    assert escaped(plain_project(again)) == printed
    assert decode(encode(project)) == project


def test_they_count_in_no_digest(files: Files, everywhere: Any) -> None:
    with_them = files.load(to_yaml(everywhere), profiles=("p",))
    without = files.load(test_whole_format.TEXT, profiles=("p",))
    for section in ("services", "networks", "volumes"):
        found, wanted = getattr(with_them, section), getattr(without, section)
        digests = {key: one.digest for key, one in wanted.items()}
        assert {key: one.digest for key, one in found.items()} == digests


def test_a_mapping_of_nothing_else_is_there_and_names_are_no_extensions(files: Files) -> None:
    printed = plain_project(files.load(BARE))
    web = printed["services"]["web"]
    assert web["healthcheck"] == {"x-a": 1}
    assert web["logging"] == {"x-b": 2}
    assert web["depends_on"]["x-db"]["x-c"] == 3
    assert web["environment"] == {"x-name": "value"}
    assert web["networks"] == {"x-net": {"x-d": 4}}
    assert printed["networks"]["x-net"]["ipam"] == {"x-f": 6}


@pytest.mark.parametrize("where", ["merge", "extends", "include"])
def test_they_are_merged_like_other_keys(files: Files, where: str) -> None:
    over = "{test: [CMD, b], x-a: {c: 2}}"
    files.write("services: {web: {image: x, healthcheck: {test: a, x-a: {b: 1}}}}", "base.yaml")
    heads = {
        "merge": "",
        "extends": "extends: {service: web, file: base.yaml}, ",
        "include": "",
    }
    include = "include: [base.yaml]\n" if where == "include" else ""
    files.write(f"{include}services: {{web: {{{heads[where]}healthcheck: {over}}}}}")
    given = ("base.yaml", "compose.yaml") if where == "merge" else ()
    printed = plain_project(files.load(files=given))
    assert printed["services"]["web"]["healthcheck"]["x-a"] == {"b": 1, "c": 2}


def test_what_is_in_them_is_left_in_its_form(files: Files) -> None:
    text = "x-a: {volumes: ['./a:/b'], services: {web: {command: a b}}}\nservices: {}"
    printed = plain_project(files.load(text))
    assert printed["x-a"] == {"volumes": ["./a:/b"], "services": {"web": {"command": "a b"}}}
