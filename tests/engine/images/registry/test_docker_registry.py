"""Against the registry that most registries are: Debian's docker-registry."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.registry.login import log_in
from tests.bench.registry_peer import docker_registry
from tests.engine.images.registry.relay import Relay
from tests.engine.images.tars import build, file, tar
from tests.marks import needs_program, needs_root
from tests.peer import NoPeer, docker_peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.images.images import Images
    from tests.bench.registry_peer import DockerRegistry
    from tests.engine.images.registry.certificates import Authority
    from tests.engine.images.registry.server import Registry

pytestmark = [needs_root, needs_program("docker-registry"), needs_program("skopeo")]
HTPASSWD = "me:$2b$04$abcdefghijklmnopqrstuu7govE5p0NSk1WUEk5C2Qm3hpPC6VJ66\n"  # pass:word


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DockerRegistry]:
    """One with a directory of its own."""
    (tmp_path / "server").mkdir()
    with docker_registry(tmp_path / "server") as server:
        yield server


def skopeo(*words: str) -> str:
    """What it prints."""
    return subprocess.run(["skopeo", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def raw(reference: str) -> bytes:
    """The manifest as the registry has it."""
    return skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}").encode()


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "oci"),
        ("--format", "v2s2"),
        ("--format", "oci", "--dest-compress-format", "zstd"),
    ],
    ids=["oci", "docker", "zstd"],
)
def test_what_skopeo_pushed_is_pulled_and_pushed_again_byte_for_byte(
    *,
    images: Images,
    server: DockerRegistry,
    busybox_tar: Path,
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    reference = server.push(busybox_tar, "test/busybox:1", *options)
    pulled = images.pull(reference)
    (loaded,) = images.load(str(busybox_tar))
    assert pulled.config == loaded.config
    assert pulled.lowers == loaded.lowers  # the same content is the same layer
    assert Path(pulled.lowers[0], "bin/busybox").stat().st_mode & 0o111
    said = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{reference}"))
    assert pulled.manifest_digest == said["Digest"]
    assert images.pull(f"{server.host}/test/busybox@{said['Digest']}").id == pulled.id
    images.tag(pulled.id, f"{server.host}/other/name:2")
    assert images.push(f"{server.host}/other/name:2").digest == said["Digest"]
    assert raw(f"{server.host}/other/name:2") == raw(reference)


def test_what_was_made_here_is_read_by_skopeo(
    *, images: Images, others: Images, server: DockerRegistry, tmp_path: Path
) -> None:
    name = f"{server.host}/made/here:1"
    noise = random.Random(1).randbytes(2_000_000)
    with images.hold():
        chains: list[str] = []
        for layer in range(3):
            upper = tmp_path / f"upper-{layer}"
            upper.mkdir()
            (upper / f"file-{layer}").write_bytes(noise[layer:])
            chains.append(images.add_layer(str(upper), chains))
        image = images.create({"config": {"Cmd": ["sh"]}}, chains, [name])
    pushed = images.push(name)
    layout = tmp_path / "layout"
    skopeo(
        *("--insecure-policy", "copy", "-q", "--src-tls-verify=false"),
        *(f"docker://{name}", f"oci:{layout}:1"),
    )
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    assert entry["digest"] == pushed.digest
    for blob in (layout / "blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    assert others.pull(name).chain_ids == image.chain_ids


def test_an_upload_goes_on_where_the_way_broke(
    images: Images, others: Images, server: DockerRegistry, registry: Registry
) -> None:
    built = build([tar(file("noise", random.Random(1).randbytes(8_000_000)))])
    image = images.pull(registry.put("a", "1", built))
    with Relay(server.host, cut_after=4_000_000) as relay:
        images.tag(image.id, f"{relay.host}/a:1")
        assert images.push(f"{relay.host}/a:1").digest == built.digest
        assert relay.was_cut.is_set()
        assert others.pull(f"{relay.host}/a:1").id == image.id
    assert raw(f"{server.host}/a:1") == built.manifest


def test_tls_and_a_password(
    *,
    images: Images,
    registry: Registry,
    authority: Authority,
    settings: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    issued = authority.issue("server", "IP:127.0.0.1")
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    source = registry.put("a", "1", build([tar(file("a", "a"))]))
    tls = f"tls: {{certificate: {issued.cert}, key: {issued.key}}}"
    auth = f"auth: {{htpasswd: {{realm: here, path: {tmp_path}/htpasswd}}}}"
    with docker_registry(tmp_path, http=tls, more=auth) as server:
        name = f"{server.host}/a:1"
        with pytest.raises(ImageProblem) as caught:
            images.pull(name)  # plain http is tried first on loopback: it says what it speaks
        assert caught.value.code == "registry-tls"
        settings(f'[registry."{server.host}"]\nca = "{authority.cert}"\n')
        images.tag(images.pull(source).id, name)
        with pytest.raises(ImageProblem, match="authentication required") as caught:
            images.push(name)
        assert caught.value.code == "unauthorized"
        with pytest.raises(ImageProblem, match="does not take"):
            log_in(server.host, "me", "wrong")
        log_in(server.host, "me", "pass:word")
        pushed = images.push(name)
        assert images.pull(name).manifest_digest == pushed.digest


def test_a_mirror_that_fetches_what_it_is_asked_for(
    *,
    images: Images,
    others: Images,
    server: DockerRegistry,
    busybox_tar: Path,
    settings: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    reference = server.push(busybox_tar, "test/busybox:1")
    with docker_registry(tmp_path, more=f"proxy: {{remoteurl: 'http://{server.host}'}}") as mirror:
        settings(f'[registry."{server.host}"]\nmirrors = ["http://{mirror.host}"]\n')
        image = images.pull(reference)
        assert (tmp_path / "registry/docker/registry/v2/repositories/test/busybox").is_dir()
    assert others.pull(reference).id == image.id  # the mirror is gone


@pytest.mark.peer
@pytest.mark.timeout(180)
def test_docker_and_we_exchange_images(
    images: Images, others: Images, server: DockerRegistry, tmp_path: Path
) -> None:
    ours, theirs = f"{server.host}/ours:1", f"{server.host}/theirs:1"
    try:
        with docker_peer() as peer:
            peer.docker("tag", "busybox:latest", theirs)
            peer.docker("push", "--quiet", theirs)
            image = images.pull(theirs)
            template = "{{.Id}}{{range .RepoDigests}} {{.}}{{end}}"
            said = peer.docker("image", "inspect", "--format", template, theirs).split()
            assert image.id == said[0]
            assert f"{server.host}/theirs@{image.manifest_digest}" in said
            with images.hold():
                upper = tmp_path / "upper"
                upper.mkdir()
                (upper / "ours").write_text("ours")
                chains = [*image.chain_ids, images.add_layer(str(upper), image.chain_ids)]
                made = images.create({"config": {"Cmd": ["sh"]}}, chains, [ours])
            pushed = images.push(ours)
            peer.docker("pull", "--quiet", ours)
            said = peer.docker("image", "inspect", "--format", template, ours).split()
            assert said == [made.id, f"{server.host}/ours@{pushed.digest}"]
            peer.docker("rmi", "--force", ours, theirs)
    except NoPeer as reason:
        pytest.skip(str(reason))
    assert others.pull(ours).chain_ids == made.chain_ids
