"""Pulls from a registry that fails in every way that registries do."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from engine.errors import ImageProblem
from engine.images.assemble import WAITING
from engine.images.images import Images
from engine.images.manifest import DOCKER_MANIFEST, OCI_MANIFEST
from engine.images.registry.errors import RegistryUnreachable
from engine.images.registry.resolve import pin_reference
from tests.engine.images.registry import SILENCE_S, Registry, Silence, nobody, once
from tests.engine.images.tars import ARCHITECTURE, build, digest, directory, file, tar
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.images.image import Image
    from engine.state.paths import Roots
    from tests.engine.images.registry.server import Handler
    from tests.engine.images.tars import Built

pytestmark = needs_root


def two_layers(size_bytes: int = 100) -> Built:
    noise = random.Random(1).randbytes(size_bytes)  # does not compress: sizes are what they seem
    low = tar(directory("etc"), file("etc/low", "low"), file("noise", noise))
    return build([low, tar(directory("etc"), file("etc/top", "top"))], Cmd=["sh"])


def content(image: Image, name: str) -> str:
    for lower in image.lowers:
        path = Path(lower, name)
        if path.exists():
            return path.read_text()
    raise FileNotFoundError(name)


def test_an_image_is_pulled_with_its_layers_and_config(images: Images, registry: Registry) -> None:
    image = images.pull(registry.put("a/b", "1", two_layers()))
    assert image.references == (f"{registry.host}/a/b:1",)
    assert image.config.cmd == ("sh",)
    assert content(image, "etc/low") == "low"
    assert content(image, "etc/top") == "top"
    assert len(image.chain_ids) == 2


def test_what_is_here_already_is_not_fetched_again(images: Images, registry: Registry) -> None:
    reference = registry.put("a/b", "1", two_layers())
    images.pull(reference)
    registry.requests.clear()
    images.pull(reference)
    assert registry.paths("GET") == []
    assert registry.paths("HEAD") == ["/v2/a/b/manifests/1"]


def test_a_moved_tag_is_followed_and_shared_layers_are_not_fetched(
    images: Images, registry: Registry
) -> None:
    low = tar(file("low", "low"))
    old = images.pull(registry.put("a", "1", build([low])))
    registry.requests.clear()
    new = images.pull(registry.put("a", "1", build([low, tar(file("new", "new"))])))
    assert new.id != old.id
    assert images.get(old.id).references == ()
    assert sum("/blobs/" in path for path in registry.paths()) == 2  # config and the new layer


def test_a_tag_and_a_digest_are_the_same_image(images: Images, registry: Registry) -> None:
    built = two_layers()
    image = images.pull(registry.put("a/b", "1", built))
    assert images.find(f"{registry.host}/a/b@{built.digest}") == image
    assert images.pull(f"{registry.host}/a/b@{built.digest}").id == image.id


def test_a_token_is_asked_for_once_and_used_by_all_layers(
    images: Images, registry: Registry
) -> None:
    reference = registry.put("a/b", "1", two_layers())
    registry.tokens["repository:a/b:pull"] = "secret"
    images.pull(reference)
    assert len(registry.token_requests) == 1
    assert registry.token_requests[0]["service"] == ["test, one"]


def login(registry: Registry, **entry: str) -> None:
    path = Path(os.environ["DOCKER_CONFIG"], "config.json")
    path.parent.mkdir()
    path.write_text(json.dumps({"auths": {registry.host: entry}}))


def test_passwords_come_from_dockers_config(images: Images, registry: Registry) -> None:
    reference = registry.put("a/b", "1", two_layers())
    encoded = base64.b64encode(b"me:pass:word").decode()
    registry.basic = f"Basic {encoded}"
    login(registry, auth=encoded)
    assert images.pull(reference).config.cmd == ("sh",)


def test_an_identity_token_is_exchanged_for_an_access_token(
    images: Images, registry: Registry
) -> None:
    reference = registry.put("a/b", "1", two_layers())
    registry.tokens["repository:a/b:pull"] = "secret"
    login(registry, auth=base64.b64encode(b"me:").decode(), identitytoken="refresh")
    images.pull(reference)
    assert registry.token_requests[0]["grant_type"] == ["refresh_token"]
    assert registry.token_requests[0]["refresh_token"] == ["refresh"]


def test_a_wrong_password_says_so(images: Images, registry: Registry) -> None:
    reference = registry.put("a/b", "1", two_layers())
    registry.basic = "Basic other"
    login(registry, auth=base64.b64encode(b"me:wrong").decode())
    with pytest.raises(ImageProblem) as caught:
        images.pull(reference)
    assert caught.value.code == "unauthorized"
    assert caught.value.hint is not None
    assert "buoy login" in caught.value.hint


def test_an_expired_token_is_renewed(images: Images, registry: Registry) -> None:
    reference = registry.put("a/b", "1", two_layers())
    registry.tokens["repository:a/b:pull"] = "first"

    def expire(handler: Handler) -> bool:
        registry.tokens["repository:a/b:pull"] = "second"
        return False

    registry.faults.append(once("/blobs/", expire))
    images.pull(reference)
    assert len(registry.token_requests) == 2


def test_credentials_do_not_follow_a_redirect_to_another_host(
    images: Images, registry: Registry
) -> None:
    reference = registry.put("a/b", "1", two_layers())
    registry.tokens["repository:a/b:pull"] = "secret"
    with Registry() as elsewhere:
        elsewhere.content = dict(registry.content)

        def redirect(handler: Handler) -> bool:
            target = f"http://{elsewhere.host}{handler.path}"
            return "/blobs/" in handler.path and handler.answer(307, b"", {"Location": target})

        registry.faults.append(redirect)
        images.pull(reference)
        assert len(elsewhere.requests) == 3
        assert all("Authorization" not in headers for _, _, headers in elsewhere.requests)


def test_a_host_that_we_are_sent_to_is_not_told_a_password(
    images: Images, registry: Registry
) -> None:
    reference = registry.put("a/b", "1", two_layers())
    secret = base64.b64encode(b"me:secret").decode()
    login(registry, auth=secret)
    registry.basic = f"Basic {secret}"
    with Registry() as elsewhere:
        elsewhere.tokens["repository:a/b:pull"] = "a token would be asked for with the password"
        target = {"Location": f"http://{elsewhere.host}/blob"}
        registry.faults.append(lambda h: "/blobs/" in h.path and h.answer(307, b"", target))
        with pytest.raises(ImageProblem) as caught:
            images.pull(reference)
        assert caught.value.code == "unauthorized"
        assert elsewhere.token_requests == []


def test_a_redirect_to_another_scheme_is_refused(images: Images, registry: Registry) -> None:
    reference = registry.put("a/b", "1", two_layers())
    location = {"Location": "file:///etc/passwd"}
    registry.faults.append(lambda h: "/blobs/" in h.path and h.answer(307, b"", location))
    with pytest.raises(ImageProblem, match="not secure"):
        images.pull(reference)


def test_a_broken_download_is_resumed_where_it_broke(images: Images, registry: Registry) -> None:
    built = two_layers(3_000_000)
    reference = registry.put("a/b", "1", built)
    large = max(built.blobs.values(), key=len)
    broken = once(digest(large), lambda h: h.answer_short(large, 2_000_000))
    registry.faults.append(broken)
    image = images.pull(reference)
    assert content(image, "etc/low") == "low"
    ranges = [headers.get("Range") for _, path, headers in registry.requests if "blobs" in path]
    resumed = [given for given in ranges if given]
    assert len(resumed) == 1
    assert 0 < int(resumed[0][6:-1]) <= 2_000_000


def test_what_an_interrupted_pull_had_is_not_fetched_again(
    images: Images, registry: Registry
) -> None:
    built = two_layers(3_000_000)
    reference = registry.put("a/b", "1", built)
    large = max(built.blobs.values(), key=len)

    def stop(subject: str, text: str, done: int | None, total: int | None) -> None:
        if text == "Downloading" and (done or 0) > 1_500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        images.pull(reference, stop)
    registry.requests.clear()
    images.pull(reference)
    given = [h.get("Range") for _, path, h in registry.requests if digest(large) in path]
    assert given[0] is not None
    assert int(given[0][6:-1]) >= 1_000_000


def whole(handler: Handler, large: bytes) -> bool:
    return handler.answer(200, large)


def not_satisfiable(handler: Handler, large: bytes) -> bool:
    return "Range" in handler.headers and handler.answer(416)


def earlier_part(handler: Handler, large: bytes) -> bool:
    there = {"Content-Range": f"bytes 1000-{len(large) - 1}/{len(large)}"}
    return handler.answer(206, large[1000:], there)


def later_part(handler: Handler, large: bytes) -> bool:
    there = {"Content-Range": f"bytes {len(large) - 1}-{len(large) - 1}/{len(large)}"}
    return handler.answer(206, large[-1:], there)


def nameless_part(handler: Handler, large: bytes) -> bool:
    start = int(handler.headers["Range"][len("bytes=") : -1])
    return handler.answer(206, large[start:], {"Content-Range": f"bytes {'9' * 5000}-/*"})


@pytest.mark.parametrize("reply", [whole, not_satisfiable, earlier_part, later_part, nameless_part])
def test_what_a_registry_makes_of_ranges_is_coped_with(
    images: Images, registry: Registry, reply: Callable[[Handler, bytes], bool]
) -> None:
    built = two_layers(3_000_000)
    reference = registry.put("a/b", "1", built)
    large = max(built.blobs.values(), key=len)
    registry.faults.append(once(digest(large), lambda h: h.answer_short(large, 2_000_000)))
    registry.faults.append(once(digest(large), lambda h: reply(h, large)))
    assert content(images.pull(reference), "etc/low") == "low"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_registry_is_asked_again(images: Images, registry: Registry, status: int) -> None:
    reference = registry.put("a/b", "1", two_layers())
    busy = {"Retry-After": "0"}
    registry.faults.append(once("/manifests/", lambda h: h.answer(status, b"", busy), 2))
    registry.faults.append(once("/blobs/", lambda h: h.answer(status, b"", busy), 2))
    assert images.pull(reference).config.cmd == ("sh",)


def test_a_registry_that_stays_busy_is_given_up_on(images: Images, registry: Registry) -> None:
    reference = registry.put("a/b", "1", two_layers())
    body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'
    registry.faults.append(lambda handler: handler.answer(429, body))
    with pytest.raises(ImageProblem, match="slow down") as caught:
        images.pull(reference)
    assert caught.value.code == "rate-limited"
    assert len(registry.requests) == 5


def test_a_layer_with_other_content_is_refused_and_nothing_is_kept(
    images: Images, registry: Registry, roots: object
) -> None:
    built = two_layers()
    reference = registry.put("a/b", "1", built)
    layer = json.loads(built.manifest)["layers"][1]
    other = random.Random(2).randbytes(layer["size"])
    registry.content[f"/v2/a/b/blobs/{layer['digest']}"] = ("", other)
    with pytest.raises(ImageProblem) as caught:
        images.pull(reference)
    assert caught.value.code in ("wrong-digest", "invalid-layer")
    assert images.list() == []
    registry.put("a/b", "1", built)
    assert content(images.pull(reference), "etc/top") == "top"


def test_a_layer_whose_content_is_not_what_the_config_says_is_refused(
    images: Images, registry: Registry
) -> None:
    honest, other = build([tar(file("a", "a"))]), build([tar(file("b", "b"))])
    manifest = json.loads(honest.manifest)
    manifest["layers"] = json.loads(other.manifest)["layers"]
    registry.put("a", "1", honest)
    registry.put("a", "2", other)
    reference = registry.put_document("a", "3", json.dumps(manifest).encode(), OCI_MANIFEST)
    with pytest.raises(ImageProblem) as caught:
        images.pull(reference)
    assert caught.value.code == "wrong-digest"


def test_a_layer_larger_than_promised_is_refused(images: Images, registry: Registry) -> None:
    built = two_layers()
    reference = registry.put("a/b", "1", built)
    layer = json.loads(built.manifest)["layers"][0]["digest"]
    path = f"/v2/a/b/blobs/{layer}"
    registry.content[path] = ("", registry.content[path][1] + b"more")
    with pytest.raises(ImageProblem) as caught:
        images.pull(reference)
    assert caught.value.code == "wrong-size"


def test_a_manifest_asked_for_by_digest_must_have_it(images: Images, registry: Registry) -> None:
    registry.put("a/b", "1", two_layers())
    wrong = digest(b"another")
    registry.content[f"/v2/a/b/manifests/{wrong}"] = registry.content["/v2/a/b/manifests/1"]
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"{registry.host}/a/b@{wrong}")
    assert caught.value.code == "wrong-digest"


def test_the_entry_of_an_index_for_this_host_is_taken(images: Images, registry: Registry) -> None:
    own, foreign = two_layers(), build([tar(file("f", "f"))], architecture="s390x")
    registry.put("a", "own", own)
    registry.put("a", "foreign", foreign)
    index = {
        "schemaVersion": 2,
        "manifests": [
            described(foreign, "s390x"),
            described(own, "unknown"),
            described(own, ARCHITECTURE),
        ],
    }
    image = images.pull(registry.put_document("a", "all", json.dumps(index).encode()))
    assert image.id == digest(own.config)


def described(built: Built, architecture: str) -> dict[str, object]:
    return {
        "mediaType": OCI_MANIFEST,
        "digest": built.digest,
        "size": len(built.manifest),
        "platform": {"os": "linux", "architecture": architecture},
    }


def test_an_index_without_this_platform_names_those_it_has(
    images: Images, registry: Registry
) -> None:
    made, attestation = described(two_layers(), "s390x"), described(two_layers(), "amd64")
    attestation["platform"] = {"os": "unknown", "architecture": "unknown"}
    index = {"schemaVersion": 2, "manifests": [made, attestation]}
    with pytest.raises(ImageProblem) as caught:
        images.pull(registry.put_document("a", "1", json.dumps(index).encode()))
    assert caught.value.code == "no-such-platform"
    assert caught.value.hint == "it is made for linux/s390x"


def test_a_platform_may_be_asked_for(images: Images, registry: Registry) -> None:
    own, foreign = two_layers(), build([tar(file("f", "f"))], architecture="s390x")
    registry.put("a", "own", own)
    registry.put("a", "foreign", foreign)
    entries = [described(own, ARCHITECTURE), described(foreign, "s390x")]
    index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    reference = registry.put_document("a", "all", index)
    asked = images.pull(reference, platform="linux/s390x")
    assert asked.id == digest(foreign.config)
    assert images.ensure(reference, "missing", platform="s390x").id == asked.id
    assert images.ensure(reference, "missing", platform=f"linux/{ARCHITECTURE}").id != asked.id
    images.pull(reference, platform="linux/s390x")
    assert images.pull(reference).id == digest(own.config)  # this host's again
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"{registry.host}/a:own", platform="linux/s390x")
    assert caught.value.code == "no-such-platform"
    with pytest.raises(ImageProblem) as caught:
        images.pull(reference, platform="linux//")
    assert caught.value.code == "invalid-platform"


def test_an_image_of_another_platform_is_pulled_with_a_warning(
    images: Images, registry: Registry
) -> None:
    said: list[str] = []
    reference = registry.put("a", "1", build([tar(file("f", "f"))], architecture="s390x"))
    images.pull(reference, lambda subject, text, done, total: said.append(text))
    assert any("(linux/s390x) does not match" in text for text in said)


def test_zstd_layers_are_unpacked_even_when_they_are_called_gzip(
    images: Images, registry: Registry
) -> None:
    layer = zstandard.compress(tar(file("z", "zstd")))
    plain = build([tar(file("z", "zstd"))])
    manifest = json.loads(plain.manifest)
    manifest["layers"][0] |= {"digest": digest(layer), "size": len(layer)}
    registry.put("a", "1", plain)
    registry.content[f"/v2/a/blobs/{digest(layer)}"] = ("", layer)
    reference = registry.put_document("a", "2", json.dumps(manifest).encode(), OCI_MANIFEST)
    assert content(images.pull(reference), "z") == "zstd"


def test_a_manifest_without_a_type_of_its_own_is_read(images: Images, registry: Registry) -> None:
    manifest = json.loads(two_layers().manifest)
    del manifest["mediaType"]
    registry.put("a", "1", two_layers())
    data = json.dumps(manifest).encode()
    assert images.pull(registry.put_document("a", "2", data, "application/json")).config.cmd
    assert images.pull(registry.put_document("a", "3", data, DOCKER_MANIFEST)).config.cmd


def test_a_missing_image_names_the_registry_and_the_way_on(
    images: Images, registry: Registry
) -> None:
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"{registry.host}/nothing:here")
    assert caught.value.code == "image-not-found"
    assert str(caught.value) == f"{registry.host}/nothing:here is not on {registry.host}: unknown"


def test_a_registry_that_is_down_is_reported_at_once(images: Images, registry: Registry) -> None:
    with nobody() as host, pytest.raises(RegistryUnreachable, match="refused") as caught:
        images.pull(f"{host}/a:1")
    assert caught.value.code == "registry-unreachable"


def test_plain_http_is_not_spoken_to_other_hosts(images: Images, registry: Registry) -> None:
    """The server speaks http: what is not loopback by name is asked over TLS."""
    port = registry.host.partition(":")[2]
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"{os.uname().nodename}:{port}/a:1")
    assert caught.value.code in ("registry-tls", "registry-unreachable")
    assert registry.requests == []


def test_policies_decide_whether_the_registry_is_asked(images: Images, registry: Registry) -> None:
    reference = registry.put("a", "1", two_layers())
    with pytest.raises(ImageProblem) as caught:
        images.ensure(reference, "never")
    assert caught.value.code == "no-such-image"
    image = images.ensure(reference, "missing")
    registry.requests.clear()
    for policy in ("missing", "if_not_present", "never", "daily", "every_2h"):
        assert images.ensure(reference, policy) == image
    assert registry.requests == []
    images.ensure(reference, "always")
    assert len(registry.requests) == 1


def test_a_layer_that_is_refused_lets_go_of_the_same_one_above_it(
    images: Images, registry: Registry
) -> None:
    noise = random.Random(1).randbytes(8_000_000)
    hostile = tar(file("../out", "x"), file("noise", noise))
    with pytest.raises(ImageProblem, match="breakout"):
        images.pull(registry.put("a", "1", build([hostile, hostile, hostile])))


def test_an_image_may_have_no_layers_or_the_same_one_twice(
    images: Images, registry: Registry
) -> None:
    assert images.pull(registry.put("a", "0", build([]))).lowers == ()
    layer = tar(file("a", "a"))
    assert len(set(images.pull(registry.put("a", "2", build([layer, layer]))).lowers)) == 2


def test_a_limit_that_outlasts_our_patience_is_reported_at_once(
    images: Images, registry: Registry
) -> None:
    registry.faults.append(lambda handler: handler.answer(429, b"", {"Retry-After": "3600"}))
    with pytest.raises(ImageProblem, match="for 3600 s") as caught:
        images.pull(f"{registry.host}/a:1")
    assert caught.value.code == "rate-limited"
    assert len(registry.requests) == 1


def test_a_cancelled_task_stops_fetching_before_it_ends(images: Images, registry: Registry) -> None:
    reference = registry.put("a/b", "1", two_layers(30_000_000))

    async def cancelled_midway() -> None:
        begun, cancelled = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def progress(subject: str, text: str, done: int | None, total: int | None) -> None:
            if text == "Downloading":
                loop.call_soon_threadsafe(begun.set)
                cancelled.wait(20)

        task = asyncio.create_task(images.ensure_in_thread(reference, "missing", progress))
        await begun.wait()
        task.cancel()
        await asyncio.sleep(0)  # it hears of it
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled_midway())
    assert images.find(reference) is None
    assert not [t for t in threading.enumerate() if t.name.startswith("layer")]
    assert images.pull(reference).config.cmd == ("sh",)


def test_a_damaged_blob_is_fetched_again_when_it_is_needed(
    images: Images, registry: Registry, roots: Roots
) -> None:
    """Its layer is gone, and what it would be unpacked from is not what it should be."""
    reference = registry.put("a", "1", two_layers())
    image = images.pull(reference)
    blob = json.loads(registry.content["/v2/a/manifests/1"][1])["layers"][0]["digest"]
    path = Path(roots.blobs, blob.replace(":", "/"))
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    shutil.rmtree(image.lowers[-1])
    said: list[str] = []
    assert content(images.pull(reference, lambda _, text, *__: said.append(text)), "etc/low")
    assert f"damaged blob {blob}: again" in said
    assert digest(path.read_bytes()) == blob


def test_a_blob_that_is_lost_is_fetched_though_its_layer_is_here(
    images: Images, registry: Registry, roots: Roots
) -> None:
    reference = registry.put("a", "1", two_layers())
    images.pull(reference)
    blob = json.loads(registry.content["/v2/a/manifests/1"][1])["layers"][0]["digest"]
    path = Path(roots.blobs, blob.replace(":", "/"))
    path.unlink()
    images.pull(reference)
    assert digest(path.read_bytes()) == blob


def test_a_damaged_beginning_of_a_blob_is_fetched_again(
    images: Images, registry: Registry, roots: Roots
) -> None:
    """As a command that was interrupted, and then the power, may leave it."""
    reference = registry.put("a", "1", two_layers())
    blob = json.loads(registry.content["/v2/a/manifests/1"][1])["layers"][0]["digest"]
    half = Path(roots.blobs, "ingest", blob.partition(":")[2])
    half.parent.mkdir(parents=True)
    half.write_bytes(bytes(50))
    assert content(images.pull(reference), "etc/low") == "low"


@pytest.mark.parametrize("status", [400, 405, 501])
def test_a_registry_that_does_not_know_head_is_asked_for_all(
    images: Images, registry: Registry, status: int
) -> None:
    reference = registry.put("a/b", "1", two_layers())
    registry.faults.append(lambda h: h.command == "HEAD" and h.answer(status))
    assert images.pull(reference) == images.pull(reference)
    assert pin_reference(reference).endswith(f"@{two_layers().digest}")


def test_all_tags_are_listed_page_by_page(images: Images, registry: Registry) -> None:
    def page(handler: Handler) -> bool:
        if not handler.bare_path.endswith("/tags/list"):
            return False
        last = handler.query.get("last")
        tags, link = (["1", "2"], '</v2/a/tags/list?n=2&last=2>; rel="next"')
        if last:
            tags, link = (["3"], "")
        body = json.dumps({"name": "a", "tags": tags}).encode()
        return handler.answer(200, body, {"Link": link} if link else {})

    registry.faults.append(page)
    assert list(images.tags(f"{registry.host}/a")) == [
        *(f"{registry.host}/a:{tag}" for tag in ("1", "2", "3")),
    ]


def test_warnings_of_a_registry_are_shown_once(images: Images, registry: Registry) -> None:
    warning = {"Warning": '299 - "this repository \\"a\\" goes away"'}
    said: list[str] = []
    reference = registry.put("a", "1", two_layers())
    media_type, data = registry.content["/v2/a/manifests/1"]

    def warn(handler: Handler) -> bool:
        headers = {**warning, "Content-Type": media_type}
        return "/manifests/" in handler.path and handler.answer(200, data, headers)

    registry.faults.append(warn)
    images.pull(reference, lambda subject, text, done, total: said.append(text))
    images.pull(reference, lambda subject, text, done, total: said.append(text))
    assert said.count(f'{registry.host} warns: this repository "a" goes away') == 2


def test_a_limit_is_waited_for_and_said(images: Images, registry: Registry) -> None:
    said: list[str] = []
    limits = {"Retry-After": "2", "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=2"}
    registry.faults.append(once("/manifests/", lambda h: h.answer(429, b"", limits)))
    reference = registry.put("a", "1", two_layers())
    images.pull(reference, lambda subject, text, done, total: said.append(text))
    assert (
        f"{registry.host} limits how often one may pull (100 in 6 h) for 2 s: too many requests: "
        "waiting 2 s" in said
    )


def test_a_wait_ends_when_it_is_interrupted(images: Images, registry: Registry) -> None:
    limits = {"Retry-After": "100"}
    registry.faults.append(lambda handler: handler.answer(429, b"", limits))

    def stop(subject: str, text: str, done: int | None, total: int | None) -> None:
        if done == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        images.pull(f"{registry.host}/a:1", stop)


def test_a_layer_that_its_publisher_alone_has_is_refused_by_name(
    images: Images, registry: Registry
) -> None:
    built = two_layers()
    registry.put("a", "1", built)
    manifest = json.loads(built.manifest)
    (lowest, _) = manifest["layers"]
    lowest["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    lowest["urls"] = [f"http://{registry.host}/elsewhere"]
    reference = registry.put_document("a", "2", json.dumps(manifest).encode(), OCI_MANIFEST)
    (_, content) = registry.content.pop(f"/v2/a/blobs/{lowest['digest']}")
    with pytest.raises(ImageProblem, match="its publisher alone") as caught:
        images.pull(reference)
    assert caught.value.code == "foreign-layer"
    assert "/elsewhere" not in registry.paths()
    registry.content[f"/v2/a/blobs/{lowest['digest']}"] = ("", content)
    assert images.pull(reference).config.cmd == ("sh",)


def in_a_thread(images: Images, reference: str) -> None:
    asyncio.run(images.ensure_in_thread(reference, "always"))


@pytest.mark.parametrize("pull", [Images.pull, in_a_thread])
@pytest.mark.parametrize("at", ["manifest", "config", "layer"])
def test_ctrl_c_does_not_wait_for_a_registry_that_is_silent(
    images: Images, registry: Registry, at: str, pull: Callable[[Images, str], object]
) -> None:
    built, silence = two_layers(), Silence()
    reference = registry.put("a/b", "1", built)
    manifest = json.loads(built.manifest)
    silent = {
        "manifest": "/manifests/",
        "config": manifest["config"]["digest"],
        "layer": manifest["layers"][0]["digest"],
    }
    registry.faults.append(once(silent[at], silence))
    with pytest.raises(KeyboardInterrupt):
        pull(images, reference)
    silence.end()
    assert eventually(lambda: silence.was_ended == [True])
    assert images.list() == []
    assert images.pull(reference).config.cmd == ("sh",)


def test_a_token_that_is_too_narrow_is_renewed_once(images: Images, registry: Registry) -> None:
    reference = registry.put("a/b", "1", two_layers())
    registry.tokens["repository:a/b:pull"] = "secret"
    registry.tokens["repository:a/b:pull repository:base:pull"] = "wider"
    narrow = f'Bearer realm="http://{registry.host}/token",scope="repository:base:pull",'
    narrow += 'error="insufficient_scope"'

    def refuse(handler: Handler) -> bool:
        wider = handler.headers.get("Authorization") == "Bearer wider"
        return not wider and handler.answer(403, b"", {"WWW-Authenticate": narrow})

    registry.faults.append(once("/blobs/", refuse))
    assert images.pull(reference).config.cmd == ("sh",)
    assert len(registry.token_requests) == 2


def test_redirects_without_end_are_given_up(images: Images, registry: Registry) -> None:
    registry.faults.append(lambda h: h.answer(307, b"", {"Location": h.path}))
    with pytest.raises(ImageProblem, match="redirects without end"):
        images.pull(f"{registry.host}/a:1")
    assert len(registry.requests) <= 20


def test_two_commands_share_the_work(roots: Roots, registry: Registry) -> None:
    """The second waits for what the first fetches, says so, and fetches nothing itself."""
    built = two_layers(3_000_000)
    reference = registry.put("a/b", "1", built)
    gate = threading.Event()

    def hold(handler: Handler) -> bool:
        gate.wait(SILENCE_S)
        return False

    large = max(built.blobs.values(), key=len)
    registry.faults.append(once(digest(large), hold))
    said: list[tuple[str, str]] = []

    def hear(subject: str, text: str, done: int | None, total: int | None) -> None:
        said.append((subject, text))
        if text == WAITING:
            gate.set()

    first, second = Images(roots), Images(roots)
    try:
        with ThreadPoolExecutor(1) as pool:
            pulled = pool.submit(first.pull, reference)
            assert eventually(lambda: any(digest(large) in path for path in registry.paths()))
            image = second.pull(reference, hear)
            assert pulled.result() == image
    finally:
        first.close()
        second.close()
    assert (digest(large)[7:19], WAITING) in said
    assert registry.paths().count(f"/v2/a/b/blobs/{digest(large)}") == 1


def test_a_page_instead_of_an_answer_is_not_shown(images: Images, registry: Registry) -> None:
    page = b"<!DOCTYPE html><html><body>Service unavailable</body></html>"
    registry.faults.append(lambda h: h.answer(500, page, {"Content-Type": "text/html"}))
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"{registry.host}/a:1")
    assert "html" not in str(caught.value)
    assert "answered 500" in str(caught.value)
    registry.faults[0] = lambda h: h.answer(200, page, {"Content-Type": "text/html"})
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"{registry.host}/a:1")
    assert caught.value.code == "invalid-manifest"


def test_of_several_challenges_the_one_that_can_be_answered_is(
    images: Images, registry: Registry
) -> None:
    reference = registry.put("a/b", "1", two_layers())
    registry.tokens["repository:a/b:pull"] = "secret"
    challenges = f'Negotiate, Bearer realm="http://{registry.host}/token", Basic realm="x, y"'

    def several(handler: Handler) -> bool:
        known = handler.headers.get("Authorization") == "Bearer secret"
        open_to_all = known or handler.bare_path == "/token"
        return not open_to_all and handler.answer(401, b"", {"WWW-Authenticate": challenges})

    registry.faults.append(several)
    assert images.pull(reference).config.cmd == ("sh",)


def test_a_token_server_that_is_busy_is_asked_again(images: Images, registry: Registry) -> None:
    reference = registry.put("a/b", "1", two_layers())
    registry.tokens["repository:a/b:pull"] = "secret"
    registry.faults.append(once("/token", lambda h: h.answer(503), times=2))
    assert images.pull(reference).config.cmd == ("sh",)


@pytest.mark.parametrize(
    ("status", "headers", "body", "code"),
    [
        (302, {"Location": "http://[x/"}, b"", "invalid-url"),
        (302, {"Location": "http://localhost:99999/"}, b"", "invalid-url"),
        (401, {"WWW-Authenticate": 'Bearer realm="https://[x/"'}, b"", "invalid-url"),
        (200, {}, b'{"tags": 5}', "registry-error"),
        (200, {}, b" " * (4 * 1024 * 1024 + 1), "registry-error"),
        (
            404,
            {"ratelimit-limit": f"1;w={'9' * 5000}", "Retry-After": "\xb2"},
            b"",
            "image-not-found",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    images: Images,
    registry: Registry,
    status: int,
    headers: dict[str, str],
    body: bytes,
    code: str,
) -> None:
    registry.faults.append(lambda handler: handler.answer(status, body, headers))
    with pytest.raises(ImageProblem) as caught:
        images.tags(f"{registry.host}/a/b")
    assert caught.value.code == code


def test_a_token_that_would_be_a_header_of_its_own_is_not_sent(
    images: Images, registry: Registry
) -> None:
    def forging(handler: Handler) -> bool:
        if handler.bare_path == "/auth":
            return handler.answer(200, b'{"token": "a\\r\\nX-Forged: b"}')
        realm = f'Bearer realm="http://{registry.host}/auth"'
        return handler.answer(401, b"", {"WWW-Authenticate": realm})

    registry.faults.append(forging)
    with pytest.raises(ImageProblem, match="no plain text") as caught:
        images.tags(f"{registry.host}/a/b")
    assert "Forged" not in str(caught.value)
