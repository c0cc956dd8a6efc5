"""Pushes to a registry that fails in every way that registries do."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.images import Images
from engine.images.manifest import DOCKER_MANIFEST, OCI_MANIFEST
from tests.engine.images.registry import Registry, Silence, once
from tests.engine.images.tars import build, digest, directory, file, tar
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.images.image import Image
    from engine.state.paths import Roots
    from tests.engine.images.registry.server import Handler
    from tests.engine.images.tars import Built

pytestmark = needs_root
LARGE_BYTES = 3_000_000


@pytest.fixture
def source() -> Iterator[Registry]:
    """Where what is pushed was pulled from."""
    with Registry() as source:
        yield source


@pytest.fixture
def built() -> Built:
    """An image with a small and a large layer."""
    noise = random.Random(1).randbytes(LARGE_BYTES)  # does not compress
    low = tar(directory("etc"), file("etc/low", "low"), file("noise", noise))
    return build([low, tar(directory("etc"), file("etc/top", "top"))], Cmd=["sh"])


@pytest.fixture
def target(images: Images, source: Registry, registry: Registry, built: Built) -> str:
    """The name to push: it means an image that was pulled from another registry."""
    image = images.pull(source.put("a/b", "1", built))
    images.tag(image.id, f"{registry.host}/c/d:2")
    return f"{registry.host}/c/d:2"


def large(built: Built) -> str:
    return digest(max(built.blobs.values(), key=len))


def ranges(registry: Registry) -> list[str | None]:
    """`Content-Range` of what was sent in pieces."""
    return [sent.get("Content-Range") for method, _, sent in registry.requests if method == "PATCH"]


def test_what_was_pulled_is_pushed_with_the_same_bytes(
    *, images: Images, registry: Registry, built: Built, target: str
) -> None:
    said: list[tuple[str, str]] = []
    pushed = images.push(target, lambda subject, text, done, total: said.append((subject, text)))
    assert pushed.digest == built.digest
    assert registry.content["/v2/c/d/manifests/2"] == (OCI_MANIFEST, built.manifest)
    for name, blob in built.blobs.items():
        assert registry.content[f"/v2/c/d/blobs/{name}"][1] == blob
    assert said[-1] == (target, f"2: digest: {built.digest} size: {len(built.manifest)}")
    assert registry.uploads == {}
    assert images.find(f"{registry.host}/c/d@{built.digest}") is not None


def test_the_manifest_is_the_last_thing_that_is_sent(
    images: Images, registry: Registry, target: str
) -> None:
    images.push(target)
    writes = [path for method, path, _ in registry.requests if method in ("PUT", "PATCH", "POST")]
    assert writes[-1] == "/v2/c/d/manifests/2"


def test_what_is_there_is_not_sent_again(images: Images, registry: Registry, target: str) -> None:
    images.push(target)
    registry.requests.clear()
    texts: list[str] = []
    images.push(target, lambda subject, text, done, total: texts.append(text))
    assert {method for method, _, _ in registry.requests} == {"HEAD", "PUT"}
    assert texts.count("Layer already exists") == 2


def test_what_another_repository_has_is_mounted(
    *, images: Images, registry: Registry, built: Built, target: str
) -> None:
    images.push(target)
    image = images.get(target)
    images.tag(image.id, f"{registry.host}/e/f:1")
    registry.tokens["repository:e/f:pull,push repository:c/d:pull"] = "secret"
    registry.requests.clear()
    texts: list[str] = []
    images.push(f"{registry.host}/e/f:1", lambda s, text, done, total: texts.append(text))
    assert texts.count("Mounted from c/d") == 2
    assert ranges(registry) == []
    assert registry.content[f"/v2/e/f/blobs/{large(built)}"][1] == built.blobs[large(built)]


def test_a_registry_that_does_not_mount_is_sent_it(
    *, images: Images, registry: Registry, built: Built, target: str
) -> None:
    images.push(target)
    images.tag(images.get(target).id, f"{registry.host}/e/f:1")
    for name in built.blobs:
        del registry.content[f"/v2/c/d/blobs/{name}"]
    assert images.push(f"{registry.host}/e/f:1").digest == built.digest
    assert f"/v2/e/f/blobs/{large(built)}" in registry.content


def test_an_upload_goes_on_where_it_broke(
    *, images: Images, registry: Registry, built: Built, target: str
) -> None:
    def break_off(handler: Handler) -> bool:
        handler.registry.uploads[handler.bare_path] = handler.body(1_000_000)
        return handler.hang_up()

    registry.faults.append(once("/uploads/", break_off, method="PATCH"))
    assert images.push(target).digest == built.digest
    size = len(built.blobs[large(built)])
    assert ranges(registry) == [None, f"1000000-{size - 1}"]
    assert registry.content[f"/v2/c/d/blobs/{large(built)}"][1] == built.blobs[large(built)]


def out_of_order(handler: Handler) -> bool:
    handler.registry.uploads[handler.bare_path] = handler.body()[:500_000]
    return handler.answer(416, b"", {"Range": "0-499999"})


def lost(handler: Handler) -> bool:
    handler.body()
    handler.registry.uploads.clear()
    return handler.answer(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')


def busy(handler: Handler) -> bool:
    handler.body()
    return handler.answer(503, b"", {"Retry-After": "0"})


def expired(handler: Handler) -> bool:
    handler.body()
    handler.registry.tokens["repository:c/d:pull,push"] = "second"
    return handler.answer(
        401,
        b"",
        {"WWW-Authenticate": f'Bearer realm="http://{handler.registry.host}/token",service="x"'},
    )


@pytest.mark.parametrize("fault", [out_of_order, lost, busy, expired])
def test_uploads_survive(
    *,
    images: Images,
    registry: Registry,
    built: Built,
    target: str,
    fault: Callable[[Handler], bool],
) -> None:
    registry.tokens["repository:c/d:pull,push"] = "first"
    registry.faults.append(once("/uploads/", fault, method="PATCH"))
    assert images.push(target).digest == built.digest
    assert registry.content[f"/v2/c/d/blobs/{large(built)}"][1] == built.blobs[large(built)]


def test_what_is_too_large_for_one_request_is_sent_in_chunks(
    *,
    images: Images,
    registry: Registry,
    built: Built,
    target: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.images.registry.upload._CHUNK_BYTES", 1_000_000)

    def too_large(handler: Handler) -> bool:
        if handler.command != "PATCH" or int(handler.headers["Content-Length"]) <= 1_200_000:
            return False
        handler.body()
        return handler.answer(413, b"<html>no</html>", {"OCI-Chunk-Min-Length": "1200000"})

    registry.faults.append(too_large)
    assert images.push(target).digest == built.digest
    size = len(built.blobs[large(built)])
    assert ranges(registry) == [
        *(None, "0-1199999", "1200000-2399999", f"2400000-{size - 1}"),
    ]


def test_numbers_that_are_none_are_not_taken_for_any(
    *, images: Images, registry: Registry, built: Built, target: str
) -> None:
    def too_large(handler: Handler) -> bool:
        handler.body()
        return handler.answer(413, b"", {"OCI-Chunk-Min-Length": "\xb2"})

    def nowhere(handler: Handler) -> bool:
        return handler.answer(204, b"", {"Location": handler.path, "Range": f"0-{'9' * 5000}"})

    registry.faults.append(once("/uploads/", too_large, method="PATCH"))
    registry.faults.append(once("/uploads/", nowhere))
    assert images.push(target).digest == built.digest


def test_success_has_several_numbers(
    *, images: Images, registry: Registry, built: Built, target: str
) -> None:
    def created(handler: Handler) -> bool:
        handler.registry.uploads[handler.bare_path] = handler.body()
        return handler.answer(201, b"", {"Location": handler.path})

    def accepted(handler: Handler) -> bool:
        return bool(handler.body()) and handler.answer(202)

    registry.faults.append(once("/uploads/", created, method="PATCH"))
    registry.faults.append(once("/manifests/", accepted, method="PUT"))
    assert images.push(target).digest == built.digest


def test_a_push_that_fails_gives_up_what_it_began(
    images: Images, registry: Registry, target: str
) -> None:
    denied = b'{"errors":[{"code":"DENIED","message":"read only"}]}'
    registry.faults.append(
        lambda h: h.command == "PATCH" and bool(h.body()) and h.answer(403, denied)
    )
    with pytest.raises(ImageProblem, match="read only") as caught:
        images.push(target)
    assert caught.value.code == "unauthorized"
    assert registry.uploads == {}
    assert "/v2/c/d/manifests/2" not in registry.content


@pytest.mark.parametrize("path", ["/uploads/", "/token"])
def test_a_registry_that_asks_for_too_much_patience_is_given_up_on(
    images: Images, registry: Registry, target: str, path: str
) -> None:
    registry.tokens["repository:c/d:pull,push"] = "secret"
    method = "GET" if path == "/token" else "PATCH"

    def limit(handler: Handler) -> bool:
        if path not in handler.path or handler.command != method:
            return False
        handler.body()
        return handler.answer(429, b"", {"Retry-After": "3600"})

    registry.faults.append(limit)
    with pytest.raises(ImageProblem, match="for 3600 s") as caught:
        images.push(target)
    assert caught.value.code == "rate-limited"
    asked = [one for one, where, _ in registry.requests if one == method and path in where]
    assert len(asked) <= 2  # there are two layers


def test_ctrl_c_stops_a_push(images: Images, registry: Registry, target: str) -> None:
    def stop(subject: str, text: str, done: int | None, total: int | None) -> None:
        if text == "Pushing" and (done or 0) > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        images.push(target, stop)
    assert registry.uploads == {}
    assert "DELETE" in {method for method, _, _ in registry.requests}
    assert "/v2/c/d/manifests/2" not in registry.content


def in_a_thread(images: Images, reference: str) -> None:
    asyncio.run(images.push_in_thread(reference))


@pytest.mark.parametrize("push", [Images.push, in_a_thread])
def test_ctrl_c_does_not_wait_for_a_registry_that_is_silent(
    images: Images, registry: Registry, target: str, push: Callable[[Images, str], object]
) -> None:
    silence = Silence()
    registry.faults.append(once("/uploads/", silence, method="PATCH"))
    with pytest.raises(KeyboardInterrupt):
        push(images, target)
    silence.end()
    assert eventually(lambda: silence.was_ended == [True])
    sent = {path for method, path, _ in registry.requests if method in ("PATCH", "PUT")}
    assert not {path.partition("?")[0] for path in sent} & registry.uploads.keys()
    assert images.push(target).reference == target


@pytest.mark.parametrize("absolute", [False, True])
def test_a_location_is_used_as_it_is(
    *, images: Images, registry: Registry, built: Built, target: str, absolute: bool
) -> None:
    """The registry's own has a query; this one is on the same host by an absolute URL, too."""

    def start(handler: Handler) -> bool:
        handler.registry.uploads["/elsewhere"] = b""
        base = f"http://{handler.registry.host}" if absolute else ""
        return handler.answer(202, b"", {"Location": f"{base}/elsewhere?_state=x%3D"})

    def finish(handler: Handler) -> bool:
        if handler.bare_path != "/elsewhere" or handler.command != "PUT":
            return False
        data = handler.registry.uploads.pop("/elsewhere") + handler.body()
        handler.registry.content[f"/v2/c/d/blobs/{digest(data)}"] = ("", data)
        return handler.query["_state"] == "x=" and handler.answer(201)

    registry.faults += [once("/uploads/", start, method="POST"), finish]
    assert images.push(target).digest == built.digest


def test_dockers_manifests_stay_dockers(
    images: Images, source: Registry, registry: Registry, built: Built
) -> None:
    manifest = json.loads(built.manifest)
    manifest["mediaType"] = DOCKER_MANIFEST
    manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    for layer in manifest["layers"]:
        layer["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    source.put("a/b", "1", built)
    data = json.dumps(manifest, indent=3).encode()
    image = images.pull(source.put_document("a/b", "2", data, DOCKER_MANIFEST))
    images.tag(image.id, f"{registry.host}/c/d:2")
    assert images.push(f"{registry.host}/c/d:2").digest == digest(data)
    assert registry.content["/v2/c/d/manifests/2"] == (DOCKER_MANIFEST, data)


def made_here(images: Images, upper: Path, name: str) -> Image:
    upper.mkdir()
    (upper / "made").write_text("here")
    chain = images.add_layer(str(upper), ())
    return images.create({"config": {"Cmd": ["sh"]}}, [chain], [name])


def test_an_image_made_here_gets_a_manifest_which_stays(
    *, images: Images, others: Images, registry: Registry, tmp_path: Path
) -> None:
    name = f"{registry.host}/made:1"
    with images.hold():
        image = made_here(images, tmp_path / "upper", name)
    pushed = images.push(name)
    assert images.push(name) == pushed
    found = others.pull(name)
    assert found.id == image.id
    assert found.manifest_digest == pushed.digest
    assert found.chain_ids == image.chain_ids
    assert Path(found.lowers[0], "made").read_text() == "here"


def test_what_came_uncompressed_is_compressed(
    *, images: Images, others: Images, registry: Registry, busybox_tar: Path
) -> None:
    (image,) = images.load(str(busybox_tar))
    images.tag(image.id, f"{registry.host}/busybox:1")
    pushed = images.push(f"{registry.host}/busybox:1")
    manifest = json.loads(registry.content[f"/v2/busybox/manifests/{pushed.digest}"][1])
    assert manifest["layers"][0]["mediaType"].endswith("+gzip")
    assert others.pull(f"{registry.host}/busybox:1").id == image.id


def test_a_layer_that_came_in_another_form_is_sent_in_that(
    images: Images, source: Registry, registry: Registry
) -> None:
    """The second image shares its layer with the first, where it is compressed otherwise."""
    layer = tar(file("a", "a"))
    images.pull(source.put("a", "1", build([layer])))
    media_type = "application/vnd.oci.image.layer.v1.tar"
    plain = build([layer], compress=False, media_type=media_type, Cmd=["other"])
    image = images.pull(source.put("a", "2", plain))
    assert image.manifest_digest == plain.digest
    images.tag(image.id, f"{registry.host}/c:1")
    said: list[str] = []
    pushed = images.push(f"{registry.host}/c:1", lambda s, text, done, total: said.append(text))
    assert pushed.digest != plain.digest
    assert any("in another form" in text for text in said)
    manifest = json.loads(registry.content[f"/v2/c/manifests/{pushed.digest}"][1])
    assert manifest["layers"][0]["mediaType"] == f"{media_type}+gzip"
    assert all(f"/v2/c/blobs/{one['digest']}" in registry.content for one in manifest["layers"])


def test_only_a_name_that_is_here_is_pushed(
    images: Images, registry: Registry, target: str
) -> None:
    with pytest.raises(ImageProblem) as caught:
        images.push(f"{registry.host}/nothing:1")
    assert caught.value.code == "no-such-image"
    assert "image tag" in (caught.value.hint or "")
    with pytest.raises(ImageProblem, match="by its tag"):
        images.push(f"{target}@{'sha256:' + 'a' * 64}")


def test_a_blob_that_is_damaged_here_is_named(
    *, images: Images, registry: Registry, roots: Roots, built: Built, target: str
) -> None:
    path = Path(roots.blobs, large(built).replace(":", "/"))
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"damage")
    with pytest.raises(ImageProblem) as caught:
        images.push(target)
    assert caught.value.code == "wrong-digest"
    assert str(path) in str(caught.value)


def test_a_name_that_means_another_image_meanwhile_keeps_it(
    images: Images, registry: Registry, source: Registry, target: str
) -> None:
    """A push takes its time: the name may have been built anew."""
    newer = images.pull(source.put("a/b", "2", build([tar(file("newer", "x"))])))

    def progress(*_: object) -> None:
        images.tag(newer.id, target)

    images.push(target, progress)
    assert images.get(target).id == newer.id
