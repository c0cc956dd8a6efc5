"""Profiles and named services (compose-file.md 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.errors import UnknownService
from compose.graph.selection import only
from compose.model.plain import plain_project
from compose.source.write import to_yaml

if TYPE_CHECKING:
    from tests.compose.projects import Files

PROFILES = """
services:
  web: {image: x}
  debug: {image: x, profiles: [tools]}
  admin: {image: x, profiles: [tools, ops], depends_on: [web]}
"""


@pytest.mark.parametrize(
    ("options", "enabled"),
    [
        ({}, {"web"}),
        ({"profiles": ("tools",)}, {"web", "debug", "admin"}),
        ({"profiles": ("ops",)}, {"web", "admin"}),
        ({"profiles": ("*",)}, {"web", "debug", "admin"}),
        ({"environment": {"COMPOSE_PROFILES": "ops, none"}}, {"web", "admin"}),
        ({"profiles": ("none",), "environment": {"COMPOSE_PROFILES": "ops"}}, {"web"}),
    ],
)
def test_profiles_enable_services(
    files: Files, options: dict[str, object], enabled: set[str]
) -> None:
    project = files.load(PROFILES, **options)  # type: ignore[arg-type]
    assert set(project.services) == enabled
    assert set(project.disabled) == {"web", "debug", "admin"} - enabled


def test_profiles_may_come_from_dotenv(files: Files) -> None:
    files.write("COMPOSE_PROFILES=ops\n", ".env")
    assert "admin" in files.load(PROFILES).services


def test_naming_a_service_activates_its_profiles(files: Files) -> None:
    project = files.load(PROFILES, services=("admin",))
    assert set(only(project, ["admin"]).services) == {"admin", "web"}


def test_a_required_dependency_on_a_disabled_service_is_an_error(files: Files) -> None:
    text = """
    services:
      web: {image: x, depends_on: [debug]}
      debug: {image: x, profiles: [tools]}
    """
    problem = files.problem(text)
    assert problem.code == "dependency-disabled"
    assert "--profile tools" in str(problem.hint)
    assert set(files.load(text, profiles=("tools",)).services) == {"web", "debug"}


def test_a_dependency_that_is_not_required_is_dropped_when_disabled(files: Files) -> None:
    project = files.load(
        """
        services:
          web: {image: x, depends_on: {debug: {condition: service_started, required: false}}}
          debug: {image: x, profiles: [tools]}
        """
    )
    assert project.dependencies.services() == ("web",)
    files.write(to_yaml(plain_project(project)), "printed.yaml")
    assert set(files.load(files=("printed.yaml",)).services) == {"web"}


CHAIN = """
services:
  web: {image: w, depends_on: [app], networks: [front]}
  app: {image: a, depends_on: [db], networks: [front, back]}
  db: {image: d, networks: [back], volumes: ["data:/x"]}
  other: {image: o}
networks: {front: , back: }
volumes: {data: }
"""


def test_named_services_bring_all_that_they_need(files: Files) -> None:
    project = only(files.load(CHAIN), ["app"])
    assert set(project.services) == {"app", "db"}
    assert set(project.networks) == {"front", "back"}
    assert project.dependencies.services() == ("db", "app")


def test_without_dependencies_only_the_named_ones_stay(files: Files) -> None:
    project = only(files.load(CHAIN), ["web"], dependencies=False)
    assert set(project.services) == {"web"}
    assert set(project.networks) == {"front"}
    assert project.volumes == {}
    assert {node.kind for node in project.dependencies.nodes} == {
        "network",
        "image",
        "replica",
        "service",
    }


def test_no_names_are_all(files: Files) -> None:
    project = files.load(CHAIN)
    assert only(project, []) is project


def test_a_name_of_nothing_is_refused_with_the_nearest(files: Files) -> None:
    with pytest.raises(UnknownService) as caught:
        only(files.load(CHAIN), ["wbe"])
    assert caught.value.hint == "did you mean `web`?"


def test_the_graph_keeps_what_the_images_of_the_services_need(files: Files) -> None:
    project = files.load(
        """
        services:
          app: {build: {context: ., additional_contexts: {base: "service:base"}, secrets: [key]}}
          base: {build: ./base}
        secrets: {key: {file: ./key}}
        """
    )
    kept = {str(node) for node in only(project, ["app"]).dependencies.nodes}
    assert {"image shop-base", "secret key"} <= kept
    assert "service base" not in kept
