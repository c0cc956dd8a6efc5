"""`buoy config` and its options."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from compose.source.yaml import parse_documents
from tests.engine.images.registry import Registry
from tests.engine.images.tars import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.compose.projects import Files

    Config = Callable[..., str]

VARIABLES = """
services:
  web:
    image: "nginx:${TAG:-1}"
    ports: ["${PORT:?which}:80", "9000:90"]
    command: echo ${X-$Y} ${C:+c}
    restart: ${RESTART:-always}
    volumes: ["./x:${AT}/x"]
"""


@pytest.fixture
def config(buoy: Callable[..., str]) -> Config:
    """`buoy config ARGS...`."""
    return partial(buoy, "config")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


def read(text: str) -> dict[str, Any]:
    (document,) = parse_documents(text, "printed")
    return document


def test_variables_are_listed_with_defaults(files: Files, config: Config) -> None:
    files.write(VARIABLES)
    assert config("--variables") == (
        "NAME      REQUIRED   DEFAULT VALUE   ALTERNATE VALUE\n"
        "AT        false\n"
        "C         false                      c\n"
        "PORT      true\n"
        "RESTART   false      always\n"
        "TAG       false      1\n"
        "X         false      $Y\n"
        "Y         false\n"
    )
    fields = json.loads(config("--variables", "--format", "json"))
    assert fields["PORT"] == {
        "Name": "PORT",
        "DefaultValue": "",
        "PresenceValue": "",
        "Required": True,
    }


def test_variables_are_left_in_the_text(
    files: Files, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(VARIABLES)
    text = config("--no-interpolate")
    web = read(text)["services"]["web"]
    assert web["ports"][0] == "${PORT:?which}:80"
    assert web["command"] == "echo ${X-$Y} ${C:+c}"
    assert web["restart"] == "${RESTART:-always}"
    for name, value in {"PORT": "1", "AT": "/a", "X": "x"}.items():
        monkeypatch.setenv(name, value)
    expected = config()
    files.write(text)
    assert config() == expected
    assert config("--no-interpolate") == text


def test_an_invalid_value_is_found_beside_variables(files: Files, config: Config) -> None:
    files.write("services: {web: {image: '${I}', restart: alwayz}}\n")
    assert "`alwayz`" in config("--no-interpolate", code=1)


def test_the_environment_is_what_variables_can_mean(
    files: Files, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write("services: {}\n")
    files.write("A='from file'\nB=b\n", ".env")
    monkeypatch.setenv("B", "from shell")
    lines = config("--environment").splitlines()
    assert {"A=from file", "B=from shell", "COMPOSE_PROJECT_NAME=shop"} <= set(lines)
    assert lines == sorted(lines)


def test_images_are_pinned_by_what_their_registry_says(
    files: Files, config: Config, registry: Registry
) -> None:
    image = build([])
    reference = registry.put("team/app", "1", image)
    pinned = f"{reference}@{image.digest}"
    files.write(f"services: {{web: {{image: {reference}}}, own: {{build: .}}}}\n")
    resolved = read(config("--resolve-image-digests"))
    assert resolved["services"]["web"]["image"] == pinned
    assert "image" not in resolved["services"]["own"]
    override = config("--lock-image-digests")
    assert read(override) == {"services": {"web": {"image": pinned}}}
    assert {request[0] for request in registry.requests} <= {"HEAD", "GET"}


def test_an_image_that_cannot_be_pinned_is_named_with_its_place(
    files: Files, config: Config, registry: Registry
) -> None:
    files.write(f"services:\n  web:\n    image: {registry.host}/none:1\n")
    said = config("--lock-image-digests", code=1)
    assert "error: image-not-found" in said
    assert "compose.yaml:3:5: " in said


def test_what_no_file_says_is_left_out(files: Files, config: Config) -> None:
    files.write(
        """
        services:
          web: {build: ./c, links: [db]}
          db: {image: x, volumes: ["data:/d"]}
        volumes: {data: }
        """
    )
    mount = {"type": "volume", "source": "data", "target": "/d"}
    assert read(config("--no-normalize")) == {
        "name": "shop",
        "services": {
            "db": {"image": "x", "volumes": [{**mount, "volume": {}}]},
            "web": {"build": {"context": f"{files.directory}/c"}, "links": ["db"]},
        },
        "volumes": {"data": None},
    }


def test_names_that_lead_nowhere_can_be_let_pass(files: Files, config: Config) -> None:
    files.write(
        """
        services:
          web: {image: x, depends_on: [nowhere], networks: [none]}
          one: {image: x, depends_on: [two]}
          two: {image: x, depends_on: [one]}
        """
    )
    assert "dependency-cycle" in config("-q", code=1) or "unknown-service" in config("-q", code=1)
    printed = read(config("--no-consistency"))
    assert list(printed["services"]["web"]["networks"]) == ["none"]
    assert config("--no-consistency", "--services").split() == ["one", "two", "web"]


def test_environment_files_can_be_left_unread(files: Files, config: Config) -> None:
    files.write(
        """
        services:
          web:
            image: x
            environment: {A: a}
            env_file: [{path: none.env, format: raw}, {path: b.env, required: false}]
        """
    )
    text = config("--no-env-resolution")
    web = read(text)["services"]["web"]
    assert web["environment"] == {"A": "a"}
    assert web["env_file"] == [
        {"path": f"{files.directory}/none.env", "format": "raw"},
        {"path": f"{files.directory}/b.env", "required": False},
    ]
    files.write(text)
    assert config("--no-env-resolution") == text


def test_relative_paths_can_be_left_as_they_are(files: Files, config: Config) -> None:
    files.write("services: {base: {build: ./b}}\n", "other/base.yaml")
    files.write(
        """
        services:
          web:
            build: {context: ./c, additional_contexts: {a: ../a}}
            volumes: [./x:/x, data:/d, {type: bind, source: ~/y, target: /y}]
            secrets: [s]
          more: {extends: {file: other/base.yaml, service: base}}
        volumes: {data: }
        secrets: {s: {file: ./s.txt}}
        """
    )
    printed = read(config("--no-path-resolution"))
    web = printed["services"]["web"]
    assert web["build"]["context"] == "./c"
    assert web["build"]["additional_contexts"] == {"a": "../a"}
    assert [mount["source"] for mount in web["volumes"]] == ["./x", "data", "~/y"]
    assert printed["secrets"]["s"]["file"] == "./s.txt"
    assert printed["services"]["more"]["build"]["context"] == "./b"
    raw = read(config("--no-path-resolution", "--no-interpolate"))
    assert raw["services"]["web"]["build"]["context"] == "./c"
    assert read(config("--no-interpolate"))["secrets"]["s"]["file"] == f"{files.directory}/s.txt"


def test_the_models_are_listed(files: Files, config: Config) -> None:
    files.write("services: {web: {image: x, models: [m]}}\nmodels: {m: {model: ai/small}}\n")
    assert config("--models") == "ai/small\n"


def test_a_missing_env_file_stops_only_who_asks_for_its_service(
    files: Files, config: Config
) -> None:
    files.write("services: {web: {image: x, env_file: no.env}, db: {image: y}}")
    assert read(config("db"))["services"].keys() == {"db"}
    assert config("--services").split() == ["db", "web"]
    assert "compose.yaml:1:38: services.web: env_file no.env" in config("web", code=1)


TEMPLATE = """
services:
  web: {image: "x:$TAG", depends_on: [db], networks: [front], volumes: ["data:/d"]}
  db: {image: y, secrets: [password]}
  odd: {image: z, networks: [back], volumes: ["$V:/v"]}
networks: {front: , back: }
volumes: {data: , other: }
secrets: {password: {file: p}, token: {file: t}}
"""


def test_variables_are_left_in_the_text_of_the_named_services(files: Files, config: Config) -> None:
    files.write(TEMPLATE)
    printed = read(config("--no-interpolate", "web"))
    assert printed["services"].keys() == {"web", "db"}
    assert printed["services"]["web"]["image"] == "x:$TAG"
    kept = {section: [*printed[section]] for section in ("networks", "volumes", "secrets")}
    assert kept == {"networks": ["front"], "volumes": ["data"], "secrets": ["password"]}
    odd = read(config("--no-interpolate", "odd"))
    assert odd["volumes"].keys() == {"data", "other"}  # the variable may name any
    assert "secrets" not in odd
    assert "unknown-service" in config("--no-interpolate", "wep", code=1)


PATTERNS = """
services:
  web1: {image: "x:${TAG:-1}"}
  web2: {image: x, depends_on: [db]}
  web3: {image: x, profiles: [off]}
  db: {image: x, networks: [back]}
networks: {back: , unused: }
volumes: {unused: }
"""


@pytest.mark.parametrize("more", [(), ("--no-interpolate",)])
def test_services_are_named_by_patterns(files: Files, config: Config, more: tuple[str]) -> None:
    files.write(PATTERNS)
    assert set(read(config("web[^13]", *more))["services"]) == {"web2", "db"}
    assert "there is no service `x*`" in config("x*", *more, code=1)


def test_a_pattern_enables_no_service(files: Files, config: Config) -> None:
    files.write(PATTERNS)
    assert set(config("--services", "web*").split()) == {"web1", "web2", "db"}


def test_what_needs_one_service_takes_no_pattern(files: Files, buoy: Callable[..., str]) -> None:
    files.write(PATTERNS)
    assert "there is no service `web*`" in buoy("env", "web*", code=1)


def test_what_no_service_uses_is_shown_where_all_resources_are_wanted(
    files: Files, buoy: Callable[..., str]
) -> None:
    files.write(PATTERNS)
    assert "unused" not in buoy("config")
    shown = read(buoy("--all-resources", "config", "db"))
    assert set(shown["networks"]) == {"back", "default", "unused"}
    assert set(shown["volumes"]) == {"unused"}
