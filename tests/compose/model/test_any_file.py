"""Whatever a file says, loading ends in a project or in problems with positions."""

from __future__ import annotations

import json
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from compose.graph.load import load_ordered
from compose.model.options import LoadOptions
from compose.model.plain import escaped, plain_project
from compose.source.write import to_yaml
from engine.errors import Problem

SCHEMA: dict[str, Any] = json.loads(
    resources.files("schemas").joinpath("compose.schema.json").read_text("utf-8")
)
WORDS = ["", "a", "b:/c", "./x:/y:ro", "8080:80", "1-2:3", "10s", "64m", "a=b", "true", "${V:-1}"]
NAMES = ["a", "b", "default", "nofile"]
scalars = st.one_of(st.sampled_from(WORDS), st.integers(-2, 70_000), st.floats(0, 9), st.none())
garbage = st.recursive(
    st.one_of(scalars, st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)
    ),
    max_leaves=4,
)


def values_of(schema: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that mostly fit a schema, and sometimes do not."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    types = schema.get("type", [])
    kinds = [
        fitting(schema, kind, depth) for kind in ([types] if isinstance(types, str) else types)
    ]
    if depth > 5 or not kinds:
        return garbage
    return st.one_of(*kinds, *kinds, *kinds, garbage)


def fitting(schema: dict[str, Any], kind: str, depth: int) -> st.SearchStrategy[Any]:
    if kind == "array":
        items = st.deferred(lambda: values_of(schema.get("items", {}), depth + 1))
        return st.lists(items, max_size=2)
    if kind == "object":
        return objects(schema, depth)
    if kind == "string":
        return st.sampled_from(schema.get("enum", schema.get("examples", WORDS)))
    return {
        "boolean": st.booleans(),
        "integer": st.integers(-1, 70_000),
        "number": st.floats(0, 100),
        "null": st.none(),
    }[kind]


def objects(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    known = {
        key: st.deferred(lambda inner=inner: values_of(inner, depth + 1))  # type: ignore[misc]
        for key, inner in schema.get("properties", {}).items()
        if key != "include"
    }
    if known and "^x-" in schema.get("patternProperties", {}):
        known["x-z"] = garbage
    patterns = [inner for key, inner in schema.get("patternProperties", {}).items() if key != "^x-"]
    if not known:
        inner = patterns[0] if patterns else schema.get("additionalProperties", {})
        values = st.deferred(lambda: values_of(inner if isinstance(inner, dict) else {}, depth + 1))
        return st.dictionaries(st.sampled_from(NAMES), values, max_size=2)
    keys = st.lists(st.sampled_from(sorted(known)), max_size=4, unique=True)
    return keys.flatmap(lambda chosen: st.fixed_dictionaries({key: known[key] for key in chosen}))


services = st.dictionaries(
    st.sampled_from(NAMES), values_of(SCHEMA["$defs"]["service"]), max_size=2
)
networks = st.dictionaries(
    st.sampled_from(NAMES), values_of(SCHEMA["$defs"]["network"]), max_size=2
)
volumes = st.dictionaries(st.sampled_from(NAMES), values_of(SCHEMA["$defs"]["volume"]), max_size=2)
sources = st.dictionaries(st.sampled_from(NAMES), values_of(SCHEMA["$defs"]["secret"]), max_size=2)
included = st.lists(st.sampled_from(["0.yaml", "1.yaml", "no.yaml", {"path": ["1.yaml"]}]))
projects = st.fixed_dictionaries(
    {"services": services, "networks": networks, "volumes": volumes},
    optional={"secrets": sources, "configs": sources, "include": included, "x-y": garbage},
)


def load(directory: str, *texts: str) -> dict[str, Any] | None:
    """The canonical form of a project of some files; None when it has problems."""
    names = [f"{number}.yaml" for number in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        Path(directory, name).write_text(text)
    options = LoadOptions(
        working_directory=directory, environment={}, files=tuple(names), project_name="p"
    )
    try:
        return escaped(plain_project(load_ordered(options)))  # type: ignore[no-any-return]
    except (Problem, ExceptionGroup) as error:
        group = error if isinstance(error, ExceptionGroup) else ExceptionGroup("", [error])
        for problem in group.exceptions:
            assert isinstance(problem, Problem), problem
            assert problem.where, problem
        return None


@settings(max_examples=150, deadline=None)
@given(projects)
def test_one_file(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        plain = load(directory, json.dumps(document))
        if plain is not None:
            assert load(directory, to_yaml(plain)) == plain


@settings(max_examples=80, deadline=None)
@given(projects, projects)
def test_two_files(first: dict[str, Any], second: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        load(directory, json.dumps(first), json.dumps(second))
