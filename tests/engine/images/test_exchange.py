"""Images that go from one engine to another and back: the same ids, the same layers."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.images.tars import build, digest, directory, file, symlink, tar
from tests.marks import needs_root
from tests.peer import NoPeer, docker_peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.images.image import Image
    from engine.images.images import Images
    from tests.peer import DockerPeer

pytestmark = needs_root

LAYERS = [
    tar(directory("etc"), file("etc/name", "low"), file("etc/gone", "x"), symlink("link", "etc")),
    tar(file("etc/.wh.gone", ""), file("etc/name", "top")),
    tar(file("etc/.wh.gone", ""), file("etc/name", "top")),  # an old `docker save` writes it once
]
ID = digest(build(LAYERS, compress=False, Cmd=["sh"]).config)


def archive() -> bytes:
    """As a tool would write it that knows nothing of us."""
    members = [file(f"{n}/layer.tar", layer) for n, layer in enumerate(LAYERS)]
    entry = {"Config": "c.json", "RepoTags": ["lab/app:1"], "Layers": [m[0].name for m in members]}
    config = build(LAYERS, compress=False, Cmd=["sh"]).config
    return tar(file("c.json", config), *members, file("manifest.json", json.dumps([entry])))


@pytest.fixture
def app(images: Images, tmp_path: Path) -> Image:
    path = tmp_path / "given.tar"
    path.write_bytes(archive())
    (image,) = images.load(str(path))
    assert image.id == ID
    return image


def saved(images: Images, path: Path, kind: str) -> Path:
    with path.open("wb") as out:
        images.save(images.select_to_save(["lab/app:1"]), out, kind)
    images.remove("lab/app:1")
    return path


def check_loaded(images: Images, source: str, name: str) -> None:
    (image,) = images.load(source)
    assert (image.id, image.references) == (ID, (name,))
    assert not list(images.verify(image))
    assert Path(image.lowers[0], "etc/name").read_text() == "top"


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerPeer]:
    try:
        with docker_peer() as peer:
            yield peer
    except NoPeer as reason:
        pytest.skip(str(reason))


@pytest.mark.peer
def test_docker_reads_what_we_save_and_we_what_it_saves(
    images: Images, app: Image, docker: DockerPeer, tmp_path: Path
) -> None:
    path = saved(images, tmp_path / "ours.tar", "docker-archive")
    docker.docker("load", "--quiet", "--input", str(path))
    (shown,) = json.loads(docker.docker("image", "inspect", "lab/app:1"))
    assert shown["Id"] == ID
    assert shown["RootFS"]["Layers"] == [digest(layer) for layer in LAYERS]
    docker.docker("save", "--output", f"{tmp_path}/theirs.tar", "lab/app:1")
    check_loaded(images, f"{tmp_path}/theirs.tar", "docker.io/lab/app:1")


@pytest.fixture
def podman() -> Iterator[Callable[..., str]]:
    """Podman on roots of its own, whose names must be short."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed: apt-get install podman")
    with tempfile.TemporaryDirectory(prefix="b-pod-", dir="/var/tmp") as place:

        def run(*argv: str) -> str:
            roots = ["--root", f"{place}/root", "--runroot", f"{place}/run"]
            command = ["podman", *roots, "--storage-driver", "vfs", *argv]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        yield run


@pytest.mark.parametrize("kind", ["docker-archive", "oci"])
def test_podman_reads_what_we_save_and_we_what_it_saves(
    images: Images, app: Image, podman: Callable[..., str], tmp_path: Path, kind: str
) -> None:
    loaded = podman("load", "-qi", str(saved(images, tmp_path / "ours.tar", kind)))
    name = loaded.split()[-1]
    (shown,) = json.loads(podman("image", "inspect", name))
    assert f"sha256:{shown['Id']}" == ID
    theirs = "docker-archive" if kind == "docker-archive" else "oci-archive"
    podman("save", "-q", "--format", theirs, "-o", f"{tmp_path}/theirs.tar", name)
    podman("rmi", "-af")
    check_loaded(images, f"{tmp_path}/theirs.tar", name)


def test_skopeo_turns_ours_into_a_layout_that_is_an_image(
    images: Images, app: Image, tmp_path: Path
) -> None:
    path = saved(images, tmp_path / "ours.tar", "oci")
    layout = f"oci:{tmp_path}/layout:v1"
    subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{path}", layout], check=True)
    assert images.ensure(layout, "missing").id == ID
