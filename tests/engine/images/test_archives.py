"""Images from files: docker-archive, OCI layout, bare root filesystems, compressed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from engine.errors import ImageProblem
from tests.engine.images.tars import build, digest, directory, file, symlink, tar
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.images.images import Images
    from engine.state.paths import Roots
    from tests.engine.images.tars import Built

pytestmark = needs_root

LAYER = tar(directory("etc"), file("etc/name", "archived"))
REF_NAME = "org.opencontainers.image.ref.name"


def docker_archive(*tags: str, layers: tuple[str, ...] = ("one/layer.tar",)) -> bytes:
    built = build([LAYER] * len(layers), compress=False, Cmd=["sh"])
    manifest = [{"Config": "c.json", "RepoTags": list(tags), "Layers": list(layers)}]
    return tar(
        *(file("c.json", built.config), file("one/layer.tar", LAYER)),
        *(symlink("two/layer.tar", "../one/layer.tar"),),
        file("manifest.json", json.dumps(manifest)),
    )


def layout(tmp_path: Path, images: dict[str, Built]) -> Path:
    """An OCI layout with an image under each tag."""
    root = tmp_path / "layout"
    (root / "blobs/sha256").mkdir(parents=True)
    entries = []
    for tag, built in images.items():
        for data in (built.manifest, *built.blobs.values()):
            (root / "blobs" / digest(data).replace(":", "/")).write_bytes(data)
        entries.append(
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": built.digest,
                "size": len(built.manifest),
                "annotations": {REF_NAME: tag},
            }
        )
    (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    (root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return root


@pytest.mark.parametrize(
    "compress",
    [bytes, gzip.compress, zstandard.compress, bz2.compress, lzma.compress],
    ids=["tar", "gzip", "zstd", "bzip2", "xz"],
)
def test_a_docker_archive_is_loaded_however_it_is_compressed(
    images: Images, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(compress(docker_archive("app:1", "app:2")))
    (image,) = images.load(str(path))
    assert image.references == ("docker.io/library/app:1", "docker.io/library/app:2")
    assert Path(image.lowers[0], "etc/name").read_text() == "archived"


def test_a_repeated_layer_may_be_a_symlink_to_the_first(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(docker_archive("app", layers=("one/layer.tar", "two/layer.tar")))
    (image,) = images.load(str(path))
    assert len(set(image.chain_ids)) == 2
    assert Path(image.lowers[0], "etc/name").read_text() == "archived"


def test_standard_input_is_read(roots: Roots, tmp_path: Path) -> None:
    program = (
        "import sys; from engine.images.images import Images; from engine.state.paths import Roots;"
        " print(Images(Roots(*sys.argv[1:3])).load('-')[0].references[0])"
    )
    command = [sys.executable, "-c", program, roots.root, roots.run_root]
    done = subprocess.run(command, input=docker_archive("app:1"), capture_output=True, check=True)
    assert done.stdout == b"docker.io/library/app:1\n"


def test_an_oci_layout_is_loaded_as_a_directory_and_as_a_tar(
    images: Images, tmp_path: Path
) -> None:
    root = layout(tmp_path, {"docker.io/library/app:1": build([LAYER], Cmd=["sh"])})
    (image,) = images.load(str(root))
    assert image.references == ("docker.io/library/app:1",)
    assert image.manifest_digest is not None
    with tarfile.open(tmp_path / "layout.tar", "w") as archive:
        archive.add(root, ".")
    assert images.load(str(tmp_path / "layout.tar")) == [image]


def as_docker_saves(root: Path, images: dict[str, Built]) -> None:
    """The manifest.json that Docker 25 and later have beside the layout's index.json. With the
    store of containerd, layers are compressed."""
    entries = []
    for name, built in images.items():
        paths = [f"blobs/{one.replace(':', '/')}" for one in built.blobs]  # the config is the last
        entries.append({"Config": paths[-1], "RepoTags": [name], "Layers": paths[:-1]})
    (root / "manifest.json").write_text(json.dumps(entries))


@pytest.mark.parametrize("compressed", [True, False], ids=["containerd", "graphdriver"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_a_layout_with_the_manifest_of_a_docker_archive_is_loaded(
    images: Images, tmp_path: Path, compress: Callable[[bytes], bytes], compressed: bool
) -> None:
    top = tar(file("etc/top", "top"))
    built = {
        "one:1": build([LAYER], compress=compressed, Cmd=["one"]),
        "lab/two:2": build([LAYER, top], compress=compressed, Cmd=["two"]),
    }
    root = layout(tmp_path, built)
    as_docker_saves(root, built)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(root, ".")
    path = tmp_path / "saved.tar"
    path.write_bytes(compress(packed.getvalue()))
    one, two = images.load(str(path))
    assert one.references == ("docker.io/library/one:1",)
    assert two.references == ("docker.io/lab/two:2",)
    assert [image.id for image in (one, two)] == [digest(b.config) for b in built.values()]
    assert Path(two.lowers[0], "etc/top").read_text() == "top"
    assert two.lowers[1:] == one.lowers
    assert not images.verify(two)


def test_nothing_is_made_of_an_archive_of_which_one_image_is_broken(
    images: Images, tmp_path: Path
) -> None:
    built = {"one:1": build([LAYER]), "two:2": build([LAYER, tar(file("b", "b"))])}
    root = layout(tmp_path, built)
    as_docker_saves(root, built)
    blobs = [f"blobs/{one.replace(':', '/')}" for one in built["two:2"].blobs]
    (root / blobs[1]).unlink()
    with pytest.raises(ImageProblem, match=f"lacks {blobs[1]}"):
        images.load(str(root))
    (root / "manifest.json").unlink()
    with pytest.raises(ImageProblem, match=f"lacks {blobs[1]}"):
        images.load(str(root))
    assert images.list() == []


def test_an_image_of_a_layout_is_named_by_its_source(images: Images, tmp_path: Path) -> None:
    one, two = build([LAYER], Cmd=["one"]), build([LAYER], Cmd=["two"])
    root = layout(tmp_path, {"1": one, "2": two})
    image = images.ensure(f"oci:{root}:2", "missing")
    assert image.config.cmd == ("two",)
    assert images.find(f"oci:{root}:2") == image
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"oci:{root}")
    assert caught.value.hint == "the layout has: 1, 2"


def test_an_archive_of_one_image_is_an_image(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(docker_archive())
    image = images.ensure(f"docker-archive:{path}", "missing")
    assert image.references == (f"docker-archive:{path}",)


def test_a_blob_of_a_layout_is_verified(images: Images, tmp_path: Path) -> None:
    built = build([LAYER])
    root = layout(tmp_path, {"app:1": built})
    layer = json.loads(built.manifest)["layers"][0]["digest"]
    (root / "blobs" / layer.replace(":", "/")).write_bytes(gzip.compress(tar(file("evil", ""))))
    with pytest.raises(ImageProblem) as caught:
        images.load(str(root))
    assert caught.value.code == "wrong-digest"
    assert images.list() == []


def test_a_layer_of_an_archive_must_be_what_the_config_says(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(docker_archive("app").replace(b"archived", b"tampered"))
    with pytest.raises(ImageProblem) as caught:
        images.load(str(path))
    assert caught.value.code == "wrong-digest"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (LAYER, "neither a docker-archive nor an OCI layout"),
        (b"not a tar at all", "is not an archive"),
        (tar(file("manifest.json", "{")), "cannot be used"),
        (tar(file("manifest.json", '[{"Config": "../../etc/shadow"}]')), "lacks"),
        (tar(file("manifest.json", '[{"Config": "c", "Layers": [1]}]')), "Layers are not a list"),
        (tar(file("manifest.json", '[{"Config": "c", "RepoTags": "a"}]')), "RepoTags are not"),
        (gzip.compress(LAYER, mtime=0)[:50], "ends early"),
    ],
    ids=["rootfs", "text", "broken", "outside", "layers", "names", "cut"],
)
def test_what_is_not_an_archive_is_refused(
    images: Images, tmp_path: Path, data: bytes, why: str
) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    with pytest.raises(ImageProblem, match=why):
        images.load(str(path))


def test_a_missing_file_is_named(images: Images) -> None:
    with pytest.raises(ImageProblem, match=r"/no/such\.tar: No such file"):
        images.load("/no/such.tar")


def test_an_imported_tar_is_an_image_with_the_config_it_is_given(
    images: Images, tmp_path: Path
) -> None:
    path = tmp_path / "rootfs.tar.gz"
    path.write_bytes(gzip.compress(LAYER))
    image = images.import_tar(str(path), "app", {"Cmd": ["sh"], "User": "1000"})
    assert (image.config.cmd, image.config.user) == (("sh",), "1000")
    assert image.chain_ids == (digest(LAYER),)


def test_members_after_a_gzip_member_are_read_and_garbage_is_not(
    images: Images, tmp_path: Path
) -> None:
    path = tmp_path / "rootfs.tar.gz"
    parts = [gzip.compress(LAYER[at : at + 700]) for at in range(0, len(LAYER), 700)]
    path.write_bytes(b"".join(parts) + b"\0\0garbage")
    assert images.import_tar(str(path)).chain_ids == (digest(LAYER),)


def test_frames_of_zstd_and_skippable_ones_are_read(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "rootfs.tar.zst"
    skippable = b"\x50\x2a\x4d\x18" + (8).to_bytes(4, "little") + os.urandom(8)
    frames = [zstandard.compress(LAYER[:700]), skippable, zstandard.compress(LAYER[700:])]
    path.write_bytes(skippable + b"".join(frames) + skippable)
    assert images.import_tar(str(path)).chain_ids == (digest(LAYER),)


def test_a_compressed_tar_that_ends_early_is_refused(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "rootfs.tar.x"
    path.write_bytes(gzip.compress(tar(file("a", os.urandom(100_000))))[:-5])
    with pytest.raises(ImageProblem, match="ends early"):
        images.import_tar(str(path))
    assert images.list() == []


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch, images: Images, tmp_path: Path) -> None:
    monkeypatch.setattr("engine.images.decompress._RATIO_FROM_BYTES", 1_000_000)
    path = tmp_path / "bomb.tar.zst"
    path.write_bytes(zstandard.compress(tar(file("zeros", bytes(50_000_000)))))
    with pytest.raises(ImageProblem, match="unpack to more than"):
        images.import_tar(str(path))


def test_a_compressed_layer_of_an_archive_is_kept_as_it_was(
    images: Images, roots: Roots, tmp_path: Path
) -> None:
    compressed = gzip.compress(LAYER, mtime=0)
    (name, config) = (f"{digest(LAYER)}.json", build([LAYER], compress=False).config)
    manifest = json.dumps([{"Config": name, "RepoTags": ["app:1"], "Layers": ["one/layer.tar"]}])
    path = tmp_path / "a.tar"
    path.write_bytes(
        tar(file(name, config), file("one/layer.tar", compressed), file("manifest.json", manifest))
    )
    images.load(str(path))
    assert Path(roots.blobs, digest(compressed).replace(":", "/")).read_bytes() == compressed


def test_an_image_that_cannot_be_used_is_not_kept(images: Images, tmp_path: Path) -> None:
    """Else every list of images would fail from then on."""
    config = json.loads(build([LAYER], compress=False).config)
    config["config"] = {"Labels": ["a"]}
    manifest = [{"Config": "c.json", "RepoTags": ["odd:1"], "Layers": ["l.tar"]}]
    path = tmp_path / "odd.tar"
    path.write_bytes(
        tar(
            *(file("c.json", json.dumps(config)), file("l.tar", LAYER)),
            file("manifest.json", json.dumps(manifest)),
        )
    )
    with pytest.raises(ImageProblem, match="Labels"):
        images.load(str(path))
    assert images.list() == []
