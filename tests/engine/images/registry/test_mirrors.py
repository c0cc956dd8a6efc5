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
from tests.engine.images.registry import Registry
from tests.engine.images.tars import build, digest, file, tar
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.images.images import Images
    from tests.engine.images.registry.server import Handler

pytestmark = needs_root
IMAGE = build([tar(file("a", "a"))], Cmd=["sh"])


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
    with Registry() as down:
        host = down.host
    settings(f'[registry."{registry.host}"]\nmirrors = ["http://{host}"]\n')
    registry.put("a", "1", IMAGE)
    assert images.pull(f"{registry.host}/a:1").config.cmd == ("sh",)


def test_content_of_a_mirror_is_checked(
    images: Images, registry: Registry, mirror: Registry
) -> None:
    other = build([tar(file("a", "b"))])
    mirror.put("hub/a", "1", other)
    path = f"/v2/hub/a/manifests/{IMAGE.digest}"
    mirror.content[path] = mirror.content["/v2/hub/a/manifests/1"]
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"{registry.host}/a@{IMAGE.digest}")
    assert caught.value.code == "wrong-digest"


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
