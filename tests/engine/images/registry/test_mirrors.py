"""Mirrors: asked first, passed over where they fail, never trusted with what is upstream's."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.registry.transport import Transport
from tests.engine.images.registry import Registry, nobody
from tests.engine.images.tars import build, digest, file, tar
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.images.images import Images
    from tests.engine.images.registry.server import Handler

pytestmark = needs_root
IMAGE, OTHER = build([tar(file("a", "a"))], Cmd=["sh"]), build([tar(file("a", "b"))])


@pytest.fixture
def mirror(settings: Callable[[str], Path], registry: Registry) -> Iterator[Registry]:
    """A mirror of `registry`, with `hub/` before its names."""
    with Registry() as mirror:
        settings(f'[registry."{registry.host}"]\nmirrors = ["http://{mirror.host}/hub"]\n')
        yield mirror


def test_a_mirror_that_has_it_is_enough(
    images: Images, registry: Registry, mirror: Registry
) -> None:
    mirror.put("hub/a", "1", IMAGE)
    image = images.pull(f"{registry.host}/a:1")
    assert image.references == (f"{registry.host}/a:1",)
    assert registry.requests == []
    assert all(
        path.endswith(f"?ns={registry.host.replace(':', '%3A')}") for _, path, _ in mirror.requests
    )


def cut(handler: Handler) -> bool:
    return "/blobs/" in handler.path and handler.answer_short(bytes(100), 0)


def busy(handler: Handler) -> bool:
    return handler.answer(429)


def gone(handler: Handler) -> bool:
    return handler.answer(404)


def hanging(handler: Handler) -> bool:
    return handler.hang_up()


def closed(handler: Handler) -> bool:
    return handler.answer(401, b"", {"WWW-Authenticate": "Basic realm=mirror"})


@pytest.mark.parametrize("fault", [cut, busy, gone, hanging, closed])
def test_a_mirror_that_fails_is_passed_over(
    *,
    images: Images,
    registry: Registry,
    mirror: Registry,
    fault: Callable[[Handler], bool],
) -> None:
    said: list[str] = []
    mirror.put("hub/a", "1", IMAGE)
    mirror.faults.append(fault)
    registry.put("a", "1", IMAGE)
    image = images.pull(
        f"{registry.host}/a:1", lambda subject, text, done, total: said.append(text)
    )
    assert image.config.cmd == ("sh",)
    assert any(f"{registry.host} is asked instead of its mirror" in text for text in said)


def test_a_mirror_that_is_down_costs_one_attempt(
    images: Images, registry: Registry, settings: Callable[[str], Path]
) -> None:
    with nobody() as host:
        settings(f'[registry."{registry.host}"]\nmirrors = ["http://{host}"]\n')
        registry.put("a", "1", IMAGE)
        assert images.pull(f"{registry.host}/a:1").config.cmd == ("sh",)


def manifest(mirror: Registry) -> None:
    mirror.content[f"/v2/hub/a/manifests/{IMAGE.digest}"] = ("", OTHER.manifest)


def page(mirror: Registry) -> None:
    mirror.content[f"/v2/hub/a/manifests/{IMAGE.digest}"] = ("text/html", b"<html>Log in!</html>")


def config(mirror: Registry) -> None:
    described = json.loads(IMAGE.manifest)["config"]
    mirror.content[f"/v2/hub/a/blobs/{described['digest']}"] = ("", bytes(described["size"]))


def layer(mirror: Registry) -> None:
    described = json.loads(IMAGE.manifest)["layers"][0]
    mirror.content[f"/v2/hub/a/blobs/{described['digest']}"] = ("", bytes(described["size"]))


def longer_layer(mirror: Registry) -> None:
    path = f"/v2/hub/a/blobs/{json.loads(IMAGE.manifest)['layers'][0]['digest']}"
    mirror.content[path] = ("", mirror.content[path][1] + bytes(100))


@pytest.mark.parametrize("damage", [manifest, page, config, layer, longer_layer])
def test_a_mirror_with_other_content_is_passed_over(
    *,
    images: Images,
    registry: Registry,
    mirror: Registry,
    damage: Callable[[Registry], None],
) -> None:
    said: list[str] = []
    mirror.put("hub/a", "1", IMAGE)
    registry.put("a", "1", IMAGE)
    damage(mirror)
    name = f"{registry.host}/a@{IMAGE.digest}"
    image = images.pull(name, lambda subject, text, done, total: said.append(text))
    assert Path(image.lowers[0], "a").read_text() == "a"
    assert any(f"{registry.host} is asked instead of its mirror" in text for text in said)


@pytest.mark.parametrize("damage", [manifest, layer])
def test_content_is_checked_whoever_it_is_of(
    images: Images, registry: Registry, mirror: Registry, damage: Callable[[Registry], None]
) -> None:
    mirror.put("hub/a", "1", IMAGE)
    damage(mirror)
    for path, found in mirror.content.items():
        registry.content[path.replace("/hub/", "/")] = found
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"{registry.host}/a@{IMAGE.digest}")
    assert caught.value.code == "wrong-digest"
    assert images.list() == []


def test_what_logs_us_in_upstream_is_not_shown_to_a_mirror(
    images: Images, registry: Registry, mirror: Registry
) -> None:
    secret = base64.b64encode(b"me:secret").decode()
    config = Path(os.environ["DOCKER_CONFIG"], "config.json")
    config.parent.mkdir()
    headers = {"X-Meta-Site": "lab", "X-Private": "no"}
    config.write_text(
        json.dumps({"auths": {registry.host: {"auth": secret}}, "HttpHeaders": headers})
    )
    registry.basic = f"Basic {secret}"
    registry.put("a", "1", IMAGE)
    mirror.faults.append(closed)
    assert images.pull(f"{registry.host}/a:1").config.cmd == ("sh",)
    for _, _, sent in mirror.requests:
        assert not {"Authorization", "X-Meta-Site"} & sent.keys()
    assert registry.requests[-1][2]["Authorization"] == f"Basic {secret}"
    assert registry.requests[-1][2]["X-Meta-Site"] == "lab"
    assert "X-Private" not in registry.requests[-1][2]


def test_mirrors_are_not_written_to(registry: Registry, mirror: Registry) -> None:
    transport = Transport(registry.host, "a", push=True)
    data = b"blob"
    started = transport.ask("blobs/uploads/", {}, subject="x", method="POST", expected=(202,))
    assert started.headers["Location"].startswith("/v2/a/blobs/uploads/")
    assert mirror.requests == []
    assert digest(data) not in registry.content
