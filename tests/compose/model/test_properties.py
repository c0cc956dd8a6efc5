"""What holds for every project that is right (compose-file.md 11, 13, 14, 19)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose.graph.load import load_ordered
from compose.model.encoding import decode, encode
from compose.model.options import LoadOptions
from compose.model.plain import escaped, plain_project
from compose.model.positions import Positions
from compose.model.project import Inputs
from compose.source.forms import bring_into_form
from compose.source.merge import merge
from compose.source.tree import copy, plain
from compose.source.unique import thin_out
from compose.source.write import to_yaml
from compose.source.yaml import parse_documents
from engine.errors import Problem
from tests.compose.documents import PROJECTS, SERVICE, some_of

if TYPE_CHECKING:
    from compose.model import Project, Service
    from compose.source.tree import Map

ENVIRONMENT = {"HOME": "/home/me", "TWO": "secret $text"}
services = some_of({key: one for key, one in SERVICE.items() if key != "network_mode"})


def load(directory: str, *texts: str, **options: Any) -> Project:
    """The project of some files."""
    names = [f"{number}.yaml" for number in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        Path(directory, name).write_text(text, encoding="utf-8")
    given: dict[str, Any] = {
        "working_directory": directory,
        "environment": ENVIRONMENT,
        "files": tuple(names),
        "project_name": "p",
        "profiles": ("p",),
    }
    return load_ordered(LoadOptions(**given | options))


def said(project: Project) -> Project:
    """A project without where it is from, and what was said of that; hosts are printed sorted."""
    services = {name: _sorted(one) for name, one in project.services.items()}
    return project.replace(
        positions=Positions(),
        inputs=Inputs(),
        warnings=(),
        not_built=(),
        environment={},
        services=services,
    )


def _sorted(service: Service) -> Service:
    build = service.build
    if build is not None:
        build = build.replace(extra_hosts=tuple(sorted(build.extra_hosts)))
    return service.replace(extra_hosts=tuple(sorted(service.extra_hosts)), build=build)


def printed(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = escaped(plain_project(project))
    return found


def is_right(directory: str, document: dict[str, Any]) -> bool:
    """Whether it loads: combinations of right keys may still contradict each other."""
    try:
        load(directory, json.dumps(document))
    except (Problem, ExceptionGroup):
        return False
    return True


def test_most_documents_are_right() -> None:
    found: list[bool] = []

    @settings(max_examples=30, deadline=None, database=None)
    @given(PROJECTS)
    def count(document: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            found.append(is_right(directory, document))

    count()
    assert sum(found) > len(found) / 2


@settings(max_examples=40, deadline=None)
@given(PROJECTS, st.sampled_from(["yaml", "json"]))
def test_what_is_printed_reads_back_as_the_same_project(
    document: dict[str, Any], form: str
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        try:
            project = load(directory, json.dumps(document))
        except (Problem, ExceptionGroup):
            return
        plain = printed(project)
        again = load(directory, to_yaml(plain) if form == "yaml" else json.dumps(plain))
        assert printed(again) == plain
        assert said(again) == said(project)


@settings(max_examples=40, deadline=None)
@given(PROJECTS)
def test_what_is_kept_in_the_cache_is_the_same_project(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        try:
            project = load(directory, json.dumps(document))
        except (Problem, ExceptionGroup):
            return
        assert decode(encode(project)) == project


@settings(max_examples=40, deadline=None)
@given(PROJECTS, PROJECTS)
def test_documents_of_a_file_merge_as_files_do(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    one, other = json.dumps(first), json.dumps(second)
    with tempfile.TemporaryDirectory() as directory:
        try:
            of_files = load(directory, one, other)
        except (Problem, ExceptionGroup) as error:
            with pytest.raises(type(error)):
                load(directory, f"{one}\n---\n{other}")
            return
        assert printed(load(directory, f"{one}\n---\n{other}")) == printed(of_files)
        again = load(directory, to_yaml(printed(of_files)))
        assert said(again) == said(of_files).replace(files=again.files)


@settings(max_examples=40, deadline=None)
@given(services, services)
def test_a_service_that_extends_is_merged_as_an_override_is(
    base: dict[str, Any], own: dict[str, Any]
) -> None:
    resources = {
        "networks": {"net": None},
        "volumes": {"data": None},
        "secrets": {"one": {"file": "./one"}, "two": {"environment": "TWO"}},
        "configs": {"one": {"file": "./one"}, "two": {"content": "a"}},
    }
    below = json.dumps({"services": {"web": base}, **resources})
    above = {"services": {"web": own}}
    extending = {"services": {"web": {**own, "extends": {"service": "web", "file": "base.yaml"}}}}
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "base.yaml").write_text(below)
        try:
            merged = load(directory, below, json.dumps(above))
        except (Problem, ExceptionGroup):
            return
        extended = load(directory, json.dumps({**extending, **resources}))
        assert printed(extended)["services"] == printed(merged)["services"]


def tree_of(document: dict[str, Any]) -> Map:
    (tree,) = parse_documents(json.dumps(document), "f")
    bring_into_form(tree)
    return tree


def onto(base: Map, over: Map) -> tuple[Map, int]:
    """A merged copy, and the number of conflicts."""
    below, above = copy(base), copy(over)
    problems = merge(below, above)  # type: ignore[arg-type]
    return below, len(problems)  # type: ignore[return-value]


def without_drivers(document: dict[str, Any]) -> dict[str, Any]:
    """Blocks of `logging` are not associative: another driver drops what was before."""
    for service in document["services"].values():
        service.pop("logging", None)
    return document


projects = PROJECTS.map(without_drivers)


@settings(max_examples=60, deadline=None)
@given(projects, projects, projects)
def test_merging_is_associative(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    one, two, three = map(tree_of, (first, second, third))
    left, conflicts = onto(*(onto(one, two)[0], three))
    right, others = onto(one, onto(two, three)[0])
    if not conflicts and not others:
        thin_out(left)
        thin_out(right)
        assert plain(left) == plain(right)
