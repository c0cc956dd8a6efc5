"""Contexts that are no directory: archives, URLs, repositories, images (engine.md D6.11)."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine import BuildSpec, build_image
from engine.errors import BuildProblem
from tests.engine.build.archives import archive
from tests.engine.build.conftest import find_in, layer_tree
from tests.images import busybox_archive
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from engine import Engine, Image
    from tests.engine.build.conftest import Workshop
    from tests.engine.build.servers import Repository, Server

pytestmark = needs_root

FILES = {
    "Dockerfile": "FROM scratch\nCOPY . /x\n",
    "a": "a",
    "dir/b": "b",
    ".dockerignore": "Dockerfile\n.dockerignore\n",
}
EXPECTED = {"/x": "/", "/x/a": "a", "/x/dir": "/", "/x/dir/b": "b"}


def build(engine: Engine, context: str, **asked: Any) -> Image:
    async def run() -> Image:
        try:
            return await build_image(engine, BuildSpec(context=context, **asked))
        finally:
            engine.containers.close()

    return asyncio.run(run())


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_is_a_context(engine: Engine, tmp_path: Path, mode: Any) -> None:
    (tmp_path / "context").write_bytes(archive(FILES, mode))
    assert layer_tree(build(engine, str(tmp_path / "context"))) == EXPECTED
    assert os.listdir(engine.roots.temporary) == []  # noqa: PTH208 - as the engine names it


def test_a_url_is_an_archive_or_a_dockerfile(engine: Engine, server: Server) -> None:
    server.files["/context"] = archive(FILES, "w:gz")
    assert layer_tree(build(engine, f"{server.url}/context")) == EXPECTED
    server.files["/plain"] = b"FROM scratch\nWORKDIR /w\n"
    assert layer_tree(build(engine, f"{server.url}/plain")) == {"/w": "/"}


def test_a_repository_is_a_context(engine: Engine, repository: Repository) -> None:
    repository.make("context.git", FILES)
    url = repository.url("context.git")
    assert layer_tree(build(engine, url)) == EXPECTED
    inline = "FROM scratch\nCOPY . /"
    found = build(engine, f"{url}#main:dir", dockerfile_inline=inline)
    assert layer_tree(found) == {"/b": "b"}
    kept = build(engine, url, args={"BUILDKIT_CONTEXT_KEEP_GIT_DIR": "1"})
    assert "/x/.git/HEAD" in layer_tree(kept)


def test_a_dockerfile_of_a_repository_is_inside_it(engine: Engine, repository: Repository) -> None:
    repository.make("link.git", {"Dockerfile": "-> /etc/passwd"})
    with pytest.raises(BuildProblem, match="Dockerfile leads out of the context"):
        build(engine, repository.url("link.git"))


def test_named_contexts_are_archives_and_repositories(
    workshop: Workshop, server: Server, repository: Repository
) -> None:
    (workshop.context / "local.tar").write_bytes(archive({"f": "f"}, "w"))
    image = workshop.build(
        "FROM scratch\n"
        "COPY --from=local f /local\nCOPY --from=url f /url\nCOPY --from=git b /git\n",
        additional_contexts={
            "local": "local.tar",
            "url": f"{server.url}/a.tar.gz",
            "git": f"{repository.url('outer.git')}#v1:dir",
        },
    )
    assert [find_in(image, path) is not None for path in ("/local", "/url", "/git")] == [True] * 3


def test_an_image_of_a_layout_is_a_named_context(workshop: Workshop, tmp_path: Path) -> None:
    source = f"docker-archive:{busybox_archive()}"
    layout = tmp_path / "layout"
    subprocess.run(["skopeo", "copy", "-q", source, f"oci:{layout}:tag"], check=True)
    image = workshop.build(
        "FROM base\nCOPY --from=base /etc/passwd /copy\n",
        additional_contexts={"base": f"oci-layout://{layout}:tag"},
    )
    assert list(layer_tree(image)) == ["/copy"]


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("nothing", "no-build-context"),
        ("file", "no-build-context"),
        ("git://h?a=1", "invalid-git-url"),
    ],
)
def test_what_is_no_context_is_refused(workshop: Workshop, place: str, code: str) -> None:
    workshop.write({"file": "no archive"})
    with pytest.raises(BuildProblem) as caught:
        workshop.build("FROM scratch\nCOPY --from=x . /", additional_contexts={"x": place})
    assert caught.value.code == code
