"""E10, E11, E12: images, archives and registries that mean harm."""

from __future__ import annotations

import contextlib
import gzip
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import Problem
from engine.errors import ImageProblem
from engine.images.manifest import OCI_INDEX, OCI_MANIFEST
from tests.engine.images.conftest import images, registry
from tests.engine.images.registry import once
from tests.engine.images.tars import build, digest, directory, entry, file, hard_link, symlink, tar
from tests.marks import needs_root

if TYPE_CHECKING:
    from engine.images.images import Images
    from engine.state.paths import Roots
    from tests.engine.containers.dock import Dock
    from tests.engine.images.registry.server import Handler, Registry

__all__ = ["images", "registry"]

pytestmark = needs_root

LAYER = tar(directory("etc"), file("etc/name", "layer"))
DEEP = b"[" * 200_000
WIDE = b'{"schemaVersion":2,"layers":[' + b"1," * 4_000_000 + b"1]}"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "file").write_text("untouched")
    return directory


WAYS = ("../" * 12 + "{}", "{}", "a/../../../../../../../..{}", "link/new")


@pytest.mark.parametrize("kind", ["file", "directory", "symlink", "hard link", "device", "pipe"])
def test_nothing_is_unpacked_outside(
    images: Images, outside: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "evil.tar"
    for way in WAYS:
        name = way.format(f"{outside}/new")
        members: dict[str, Any] = {
            "file": file(name, "evil"),
            "directory": directory(name),
            "symlink": symlink(name, "/etc/passwd"),
            "hard link": hard_link("stolen", f"{outside}/file"),
            "device": entry(name, tarfile.CHRTYPE, devmajor=1, devminor=1),
            "pipe": entry(name, tarfile.FIFOTYPE),
        }
        path.write_bytes(tar(directory("a"), symlink("link", str(outside)), members[kind]))
        with contextlib.suppress(ImageProblem):
            image = images.import_tar(str(path))
            assert all("untouched" not in text for text in texts(Path(image.lowers[0])))
    assert [each.name for each in outside.iterdir()] == ["file"]
    assert (outside / "file").stat().st_nlink == 1


def texts(top: Path) -> list[str]:
    return [path.read_text() for path in top.rglob("*") if path.is_file() and not path.is_symlink()]


@pytest.mark.parametrize("name", ["Config", "Layers"])
def test_an_archive_names_no_file_of_the_host(images: Images, tmp_path: Path, name: str) -> None:
    built = build([LAYER], compress=False)
    path = tmp_path / "evil.tar"
    for way in ("/etc/passwd", "../../../../../../etc/passwd", "link", "chain", "."):
        manifest: dict[str, object] = {"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}
        manifest[name] = way if name == "Config" else [way]
        members = (
            file("c.json", built.config),
            file("l.tar", LAYER),
            symlink("link", "/etc/passwd"),
            symlink("chain", "link"),
            file("manifest.json", json.dumps([manifest])),
        )
        path.write_bytes(tar(*members))
        with pytest.raises(ImageProblem) as caught:
            images.load(str(path))
        assert "root:" not in str(caught.value)
    assert images.list() == []


BAD_DIGESTS = (
    "sha256:../../../../etc/passwd",
    "../../../../etc/passwd",
    "sha256:" + "A" * 64,
    "sha256:" + "0" * 63,
    "md5:" + "0" * 32,
    "sha256:" + "0" * 64 + "/../x",
    "",
    None,
    7,
)


def test_a_digest_is_no_path(images: Images, registry: Registry) -> None:
    """CVE-2024-3727."""
    built = build([LAYER])
    reference = registry.put("a/b", "1", built)
    for bad in BAD_DIGESTS:
        manifest = json.loads(built.manifest)
        manifest["layers"][0]["digest"] = bad
        registry.put_document("a/b", "1", json.dumps(manifest).encode(), OCI_MANIFEST)
        with pytest.raises(ImageProblem):
            images.pull(reference)
    assert not [path for _, path, _ in registry.requests if "passwd" in path]


@pytest.mark.parametrize(
    "document", [DEEP, b"{" + b'"a":{' * 100_000, WIDE], ids=["[", "{", "wide"]
)
@pytest.mark.parametrize("what", ["manifest", "config", "token"])
def test_a_parser_bomb_is_a_problem(
    images: Images, registry: Registry, document: bytes, what: str
) -> None:
    built = build([LAYER])
    reference = registry.put("a/b", "1", built)
    if what == "manifest":
        registry.put_document("a/b", "1", document, OCI_MANIFEST)
    elif what == "config":
        manifest = json.loads(built.manifest)
        manifest["config"] |= {"digest": digest(document), "size": len(document)}
        registry.content[f"/v2/a/b/blobs/{digest(document)}"] = ("application/json", document)
        registry.put_document("a/b", "1", json.dumps(manifest).encode(), OCI_MANIFEST)
    else:
        registry.tokens = {"repository:a/b:pull": "t"}
        registry.faults.append(once("/v2/", lambda handler: _challenge(handler, document)))
    with pytest.raises(ImageProblem):
        images.pull(reference)
    assert images.list() == []


def _challenge(handler: Handler, text: bytes) -> bool:
    header = "Bearer " + text[:8000].decode() + 'realm="'
    return handler.answer(401, text[:100_000], {"WWW-Authenticate": header})


@pytest.mark.parametrize("name", ["manifest.json", "c.json", "index.json", "oci-layout"])
@pytest.mark.parametrize("document", [DEEP, WIDE], ids=["deep", "wide"])
def test_a_parser_bomb_in_an_archive_is_a_problem(
    images: Images, tmp_path: Path, name: str, document: bytes
) -> None:
    built = build([LAYER], compress=False)
    manifest = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]
    members = {
        "c.json": built.config,
        "l.tar": LAYER,
        "manifest.json": json.dumps(manifest).encode(),
    }
    if name in ("index.json", "oci-layout"):
        members = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": b"{}"}
    members[name] = document
    path = tmp_path / "evil.tar"
    path.write_bytes(tar(*(file(key, data) for key, data in members.items())))
    with pytest.raises(ImageProblem):
        images.load(str(path))


def test_an_index_that_leads_to_itself_ends(images: Images, registry: Registry) -> None:
    """Indexes within indexes, as deep as a registry likes."""
    inner = build([LAYER]).manifest
    kind = OCI_MANIFEST
    for _ in range(40):
        described = {"mediaType": kind, "digest": digest(inner), "size": len(inner)}
        registry.content[f"/v2/a/b/manifests/{digest(inner)}"] = (kind, inner)
        inner = json.dumps(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [described]}
        ).encode()
        kind = OCI_INDEX
    reference = registry.put_document("a/b", "1", inner, OCI_INDEX)
    with pytest.raises(ImageProblem):
        images.pull(reference)
    assert len(registry.requests) < 20


def test_what_a_descriptor_says_of_other_places_is_not_asked(
    images: Images, registry: Registry
) -> None:
    """`urls` would have us fetch from hosts of the image's choice."""
    built = build([LAYER])
    manifest = json.loads(built.manifest)
    manifest["layers"][0]["urls"] = [f"http://{registry.host}/elsewhere"]
    del built.blobs[manifest["layers"][0]["digest"]]  # type: ignore[attr-defined]
    reference = registry.put("a/b", "1", built)
    registry.put_document("a/b", "1", json.dumps(manifest).encode(), OCI_MANIFEST)
    with pytest.raises(ImageProblem):
        images.pull(reference)
    assert not [path for _, path, _ in registry.requests if "elsewhere" in path]


FIELDS = ("Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "User", "Labels")


@pytest.mark.parametrize("value", ["x" * 3_000_000, ["\0"], {"..": {}}, [["a"]], -1], ids=type)
def test_odd_fields_of_a_config_are_problems_and_no_more(
    dock: Dock, tmp_path: Path, value: object
) -> None:
    layer = tar(directory("bin"))
    path = tmp_path / "odd.tar"
    for field in FIELDS:
        config: dict[str, Any] = {"Cmd": ["/bin/true"], field: value}
        built = build([layer], compress=False, **config)
        manifest = json.dumps([{"Config": "c.json", "RepoTags": ["odd:1"], "Layers": ["l.tar"]}])
        documents = file("c.json", built.config), file("manifest.json", manifest)
        path.write_bytes(tar(*documents, file("l.tar", layer)))
        with pytest.raises(Problem):  # there is no program in it, for one thing
            dock.start(image=dock.engine.images.load(str(path))[0].id)


def test_a_bomb_within_a_bomb_ends_early(images: Images, tmp_path: Path) -> None:
    zeros = gzip.compress(bytes(50_000_000), 1)
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(zeros))
    with pytest.raises(ImageProblem):
        images.import_tar(str(path))


def test_what_was_refused_leaves_nothing(images: Images, roots: Roots, tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    path.write_bytes(tar(directory("a"), file("a/" + "b" * 90, "x"), file("../../up", "x")))
    with pytest.raises(ImageProblem):
        images.import_tar(str(path))
    left = [each for each in Path(roots.layers).rglob("*") if "b" * 90 in each.name]
    assert left == []
