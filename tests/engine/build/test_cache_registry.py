"""The cache of a build at a registry, used by an engine that has none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine import CacheTarget
from engine.errors import ImageProblem
from engine.images.manifest import OCI_MANIFEST
from tests.bench.registry_peer import docker_registry
from tests.engine.images.registry.server import Registry
from tests.engine.images.tars import digest
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from tests.engine.build.conftest import Workshop

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
FROM busybox AS one
RUN echo of one > /one
FROM busybox
COPY --from=one /one /copied
COPY --link a /a
RUN echo made > /made
"""
WHOLE = CacheTarget(whole=True)
OF_BUILDKIT = "application/vnd.buildkit.cacheconfig.v0"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    monkeypatch.setenv("DOCKER_CONFIG", f"{tmp_path}/docker")
    monkeypatch.setattr("engine.images.registry.waiting._FIRST_DELAY_S", 0.01)
    monkeypatch.setattr("engine.images.registry.http.CONNECT_TIMEOUT_S", 30.0)
    with Registry() as registry:
        yield registry


@pytest.fixture
def context(workshop: Workshop) -> Workshop:
    workshop.write({"a": "a", ".dockerignore": "docker\nserver"})
    return workshop


def sent(registry: Registry, method: str) -> list[str]:
    return [path for path in registry.paths(method) if "/cache/" in path]


def said(workshop: Workshop) -> str:
    return "\n".join(event.text for event in workshop.events if event.kind == "note")


@pytest.mark.parametrize(
    ("whole", "kept"), [(True, ["RUN", "COPY", "COPY", "RUN"]), (False, ["COPY", "COPY", "RUN"])]
)
def test_steps_of_another_engine_are_not_run_again(
    context: Workshop, elsewhere: Workshop, registry: Registry, whole: bool, kept: list[str]
) -> None:
    place = f"{registry.host}/cache:1"
    context.build(TEXT, cache_to={place: CacheTarget(whole=whole)})
    first = context.build(TEXT, tags=("first",))
    image = elsewhere.build(TEXT, cache_from=(place,))
    assert sorted(elsewhere.cached()) == sorted(kept)
    assert image.id == first.id
    uploads = len(sent(registry, "POST"))
    elsewhere.build(TEXT, cache_to={place: CacheTarget(whole=whole)})
    assert len(sent(registry, "POST")) <= uploads + (not whole) * 2  # what it ran, and the config


def test_only_the_layers_of_steps_that_fit_are_fetched(
    context: Workshop, elsewhere: Workshop, registry: Registry
) -> None:
    place = f"{registry.host}/cache:1"
    context.build(TEXT, cache_to={place: WHOLE})
    elsewhere.write({"a": "another"})
    image = elsewhere.build(TEXT, cache_from=(place,))
    assert sorted(elsewhere.cached()) == ["COPY", "RUN"]
    assert elsewhere.steps("done")[-3:-1] == ["COPY --link a /a", "RUN echo made > /made"]
    assert len(sent(registry, "GET")) == 1 + 1 + 2  # manifest, config, and two layers
    assert elsewhere.build(TEXT).id == image.id


@pytest.mark.parametrize("argument", [False, True], ids=["type=inline", "BUILDKIT_INLINE_CACHE"])
def test_an_image_carries_its_own_steps(
    context: Workshop, elsewhere: Workshop, registry: Registry, argument: bool
) -> None:
    name = f"{registry.host}/cache:image"
    how: dict[str, Any] = {"inline_cache": True}
    if argument:
        how = {"args": {"BUILDKIT_INLINE_CACHE": "1"}}
    first = context.build(TEXT, tags=(name,), **how)
    context.engine.images.push(name)
    image = elsewhere.build(TEXT, cache_from=(name,), **how)
    assert sorted(elsewhere.cached()) == ["COPY", "COPY", "RUN"]
    assert image.chain_ids == first.chain_ids
    assert not image.config.labels


def test_a_cache_that_is_not_there_is_no_error(elsewhere: Workshop, registry: Registry) -> None:
    gone = "127.0.0.1:1/cache"
    elsewhere.build("FROM busybox\nRUN true", cache_from=(f"{registry.host}/cache:1", gone))
    assert said(elsewhere).count("no cache is taken from") == 2
    assert "[Warning] no cache" not in said(elsewhere)


def test_a_cache_that_cannot_be_written_fails_the_build_unless_it_may(workshop: Workshop) -> None:
    text, gone = "FROM busybox\nRUN true", "127.0.0.1:1/cache"
    with pytest.raises(ImageProblem, match="cannot be reached"):
        workshop.build(text, cache_to={gone: WHOLE})
    workshop.build(text, cache_to={gone: CacheTarget(may_fail=True)})
    assert workshop.steps("failed")


def of_buildkit(registry: Registry, document: dict[str, Any], config: dict[str, Any]) -> None:
    document["config"]["mediaType"] = OF_BUILDKIT


def another_key(registry: Registry, document: dict[str, Any], config: dict[str, Any]) -> None:
    for step in config["steps"]:
        step["key"] = step["key"][::-1]


def no_such_layer(registry: Registry, document: dict[str, Any], config: dict[str, Any]) -> None:
    next(s for s in config["steps"] if s["chain_id"])["chain_id"] = digest(b"none")


def in_a_circle(registry: Registry, document: dict[str, Any], config: dict[str, Any]) -> None:
    config["layers"][0]["below"] = 1


def no_steps(registry: Registry, document: dict[str, Any], config: dict[str, Any]) -> None:
    config["steps"] = {"a": [[]]}


def too_large(registry: Registry, document: dict[str, Any], config: dict[str, Any]) -> None:
    config["more"] = "x" * 5_000_000


def other_content(registry: Registry, document: dict[str, Any], config: dict[str, Any]) -> None:
    for layer in document["layers"]:
        name = f"/v2/cache/blobs/{layer['digest']}"
        registry.content[name] = registry.content[name][0], b"\0" * layer["size"]


def other_diff_id(registry: Registry, document: dict[str, Any], config: dict[str, Any]) -> None:
    document["layers"][1:] = document["layers"][:0:-1]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (
            of_buildkit,
            f"from HOST/cache:1: HOST/cache:1 is a cache in BuildKit's own form ({OF_BUILDKIT}",
        ),
        (another_key, "[Warning] no cache is taken from HOST/cache:1: its steps do not fit"),
        (no_such_layer, "[Warning] no cache is taken from HOST/cache:1: its steps do not fit"),
        (no_steps, "[Warning] no cache is taken from HOST/cache:1: its steps do not fit"),
        (in_a_circle, "a layer does not lie on one before it"),
        (too_large, "is too large"),
        (other_content, "has the digest"),
        (other_diff_id, "[Warning] no cache is taken from HOST/cache:1: layer"),
    ],
)
def test_a_cache_that_is_broken_is_left_alone(
    context: Workshop,
    elsewhere: Workshop,
    registry: Registry,
    spoil: Callable[[Registry, dict[str, Any], dict[str, Any]], None],
    why: str,
) -> None:
    place = f"{registry.host}/cache:1"
    context.build(TEXT, cache_to={place: WHOLE})
    document = json.loads(registry.content["/v2/cache/manifests/1"][1])
    config = json.loads(registry.content[f"/v2/cache/blobs/{document['config']['digest']}"][1])
    spoil(registry, document, config)
    data = json.dumps(config).encode()
    document["config"].update(digest=digest(data), size=len(data))
    registry.content[f"/v2/cache/blobs/{digest(data)}"] = "application/octet-stream", data
    registry.put_document("cache", "1", json.dumps(document).encode(), OCI_MANIFEST)
    image = elsewhere.build(TEXT, cache_from=(place,))
    assert why.replace("HOST", registry.host) in said(elsewhere)
    assert not elsewhere.cached()
    assert not elsewhere.engine.images.verify(image)
    assert elsewhere.build(TEXT).id == image.id


@needs_program("docker-registry")
def test_the_registry_that_most_are_takes_it(
    context: Workshop, elsewhere: Workshop, tmp_path: Path
) -> None:
    (tmp_path / "server").mkdir()
    with docker_registry(tmp_path / "server") as server:
        place = f"{server.host}/some/cache:1"
        context.build(TEXT, cache_to={place: WHOLE})
        elsewhere.build(TEXT, cache_from=(place,))
    assert len(elsewhere.cached()) == 4
