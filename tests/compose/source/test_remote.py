"""Project files in git repositories and registries (compose-file.md 2.1, 14, 15)."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from compose.graph.cache import load_cached
from compose.source.git import GitReference, parse_git
from tests.engine.images.registry import Registry
from tests.engine.images.tars import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.compose.projects import Files

WEB = 'services: {web: {image: "x:$T", build: {target: t}, volumes: ["./d:/d"], env_file: e.env}}'
DEEP = 'include: [other.yaml]\nservices: {deep: {build: ., volumes: ["../up:/up"]}}'
Layer = tuple[str, dict[str, str], str]
FILE, EXTENDED = "com.docker.compose.file", "com.docker.compose.extends"
COMPOSE_FILE = "application/vnd.docker.compose.file+yaml"
ENV_FILE = "application/vnd.docker.compose.envfile"
PROJECT = "application/vnd.docker.compose.project"


class Repository:
    """A git repository that is fetched by a `file://` URL."""

    def __init__(self, directory: Path) -> None:
        self.work = directory / "work.git"
        self.git("init", "--quiet", "--initial-branch=main", str(self.work))

    @property
    def url(self) -> str:
        return f"file://{self.work}"

    def git(self, *args: str) -> str:
        """Run git, in the repository once there is one."""
        here = ["-C", str(self.work)] if self.work.exists() else []
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(
            ["git", *here, *who, *args], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, **contents: str) -> str:
        """Write files (`__` is a slash, `_` at the end a dot before `yaml`) and commit them."""
        for name, text in contents.items():
            path = self.work / name.replace("__", "/").replace("_yaml", ".yaml")
            path = path.with_name(path.name.replace("_env", ".env"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=x")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.commit(
        compose_yaml=WEB,
        e_env="E=1\n",
        _env="T=theirs\n",
        sub__deep__compose_yaml=DEEP,
        sub__deep__other_yaml="services: {other: {image: o}}",
    )
    return made


@pytest.fixture
def files(files: Files, tmp_path: Path) -> Files:
    files.environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": os.environ["PATH"]}
    files.environment |= {"HOME": str(tmp_path)}
    return files


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("https://h/a/b.git", ("https://h/a/b.git", "", "")),
        ("https://h/a/b.git#main:sub/x.yaml", ("https://h/a/b.git", "main", "sub/x.yaml")),
        ("https://h/b.git#:sub", ("https://h/b.git", "", "sub")),
        ("https://h/b.git?ref=v1&subdir=s", ("https://h/b.git", "v1", "s")),
        ("git@github.com:a/b.git#v1", ("git@github.com:a/b.git", "v1", "")),
        ("ssh://git@h:22/a/b#v1", ("ssh://git@h:22/a/b", "v1", "")),
        ("git://h/a/b", ("git://h/a/b", "", "")),
        ("github.com/a/b#x", ("https://github.com/a/b", "x", "")),
        ("https://h/a/b", None),
        ("ext::sh -c x", None),
        ("./a.git", None),
    ],
)
def test_references_to_repositories(text: str, reference: tuple[str, str, str] | None) -> None:
    assert parse_git(text) == (None if reference is None else GitReference(*reference))


def test_a_file_of_a_repository_starts_from_its_own_directory(
    files: Files, repository: Repository
) -> None:
    files.write("T=ours\n", ".env")
    project = files.load(files=(f"{repository.url}#main",))
    (path,) = project.files
    checkout = path.removesuffix("/compose.yaml")
    assert checkout.endswith(repository.git("rev-parse", "HEAD"))
    web = project.services["web"]
    assert web.image == "x:ours"  # variables are those of the directory that one is in
    assert web.environment == {"E": "1"}
    assert web.mounts[0].source == f"{checkout}/d"
    assert web.build is not None
    assert web.build.context == checkout
    assert (project.name, project.directory) == ("shop", str(files.directory))


def test_a_path_in_a_repository_is_a_file_or_a_directory_with_one(
    files: Files, repository: Repository
) -> None:
    deep = files.load(files=(f"{repository.url}#:sub/deep",))
    assert set(deep.services) == {"deep", "other"}
    assert deep.services["deep"].mounts[0].source.endswith("/sub/up")
    other = files.load(files=(f"{repository.url}#main:sub/deep/other.yaml",))
    assert set(other.services) == {"other"}


def test_it_is_included_and_extended(files: Files, repository: Repository) -> None:
    project = files.load(
        f"""
        include: ["{repository.url}#main"]
        services:
          more: {{extends: {{file: "{repository.url}", service: web}}, command: c}}
        """
    )
    assert project.services["web"].image == "x:theirs"  # as a project of its own
    assert project.services["more"].command == ("c",)
    assert project.services["more"].mounts == project.services["web"].mounts


def test_a_branch_is_asked_for_each_time_and_a_commit_is_not(
    files: Files, repository: Repository, tmp_path: Path
) -> None:
    first = repository.git("rev-parse", "HEAD")
    options = files.options(files=(f"{repository.url}#main",))
    pinned = files.options(files=(f"{repository.url}#{first}",))
    cache = str(tmp_path / "projects")
    assert set(load_cached(options, cache).services) == {"web"}
    repository.commit(compose_yaml="services: {moved: {image: x}}")
    assert set(load_cached(options, cache).services) == {"moved"}
    repository.work.rename(tmp_path / "gone")
    assert set(load_cached(pinned, cache).services) == {"web"}
    assert files.problem(files=options.files).code == "remote-unavailable"


def test_tags_go_before_branches_and_stand_for_their_commits(
    files: Files, repository: Repository
) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "--annotate", "--message=x", "v1")
    repository.commit(compose_yaml="services: {moved: {image: x}}")
    repository.git("branch", "v1")
    repository.git("branch", "feature/main")
    for end in ("#v1", "?tag=v1", "?ref=v1"):
        assert first in files.load(files=(f"{repository.url}{end}",)).files[0]
    for end in ("#main", "?branch=v1", "?branch=feature/main"):
        assert set(files.load(files=(f"{repository.url}{end}",)).services) == {"moved"}


@pytest.mark.parametrize(
    ("end", "code", "what"),
    [
        ("#nope", "remote-unavailable", "has no branch or tag `nope`"),
        ("#main:nope.yaml", "file-not-found", "nope.yaml has none"),
        ("#main:../../etc/passwd", "invalid-value", "leads out of"),
        ("#main:/etc/passwd", "file-not-found", "there is no project file"),
        ("#main:link", "invalid-value", "leads out of"),
        ("#main:dir", "invalid-value", "leads out of"),
        ("#main:inside", "invalid-value", "leads out of its repository"),
        ("#--upload-pack=x", "remote-unavailable", "no branch or tag"),
        ("?odd=1", "invalid-value", "`odd` means nothing here"),
    ],
)
def test_what_cannot_be_had_is_said_with_its_place(
    files: Files, repository: Repository, end: str, code: str, what: str
) -> None:
    (repository.work / "link").symlink_to("/etc/passwd")
    (repository.work / "dir").symlink_to("/etc")
    (repository.work / "inside").mkdir()
    (repository.work / "inside/compose.yaml").symlink_to("/etc/passwd")
    repository.commit()
    problem = files.problem(f"include:\n  - '{repository.url}{end}'\n")
    assert (problem.code, problem.where) == (code, "compose.yaml:2:5")
    assert what in problem.what


def test_without_git_it_is_named(files: Files, repository: Repository, tmp_path: Path) -> None:
    problem = files.problem(files=(repository.url,), environment={"PATH": str(tmp_path)})
    assert problem.code == "remote-unavailable"
    assert problem.hint == "apt install git"


def test_nothing_half_made_is_left(files: Files, repository: Repository, tmp_path: Path) -> None:
    unknown = "0123456789" * 4
    assert files.problem(files=(f"{repository.url}#{unknown}",)).code == "remote-unavailable"
    assert list((tmp_path / "cache/buoy/git").iterdir()) == []


@pytest.mark.parametrize("text", ["https://example.org/compose.yaml", "ftp://h/x"])
def test_other_places_are_refused(files: Files, text: str) -> None:
    assert files.problem(f"include: ['{text}']").code == "invalid-value"
    assert files.problem(files=(text,)).code == "invalid-value"


def test_variables_switch_it_off(files: Files, repository: Repository) -> None:
    off = {"COMPOSE_EXPERIMENTAL_GIT_REMOTE": "0", "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false"}
    for text in (repository.url, "oci://127.0.0.1:1/x"):
        assert files.problem(files=(text,), environment=off).code == "remote-disabled"


def publish(registry: Registry, *layers: Layer, kind: str = PROJECT) -> str:
    """An artifact as `docker compose publish` makes it; its reference."""
    described = []
    for media_type, notes, text in layers:
        data = text.encode()
        name = digest(data)
        registry.content[f"/v2/team/app/blobs/{name}"] = ("application/octet-stream", data)
        described.append(
            {
                "mediaType": media_type,
                "digest": name,
                "size": len(data),
                "annotations": notes,
            }
        )
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": kind,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": digest(b"{}"),
            "size": 2,
        },
        "layers": described,
    }
    data = json.dumps(manifest).encode()
    return registry.put_document(
        "team/app", "1", data, "application/vnd.oci.image.manifest.v1+json"
    )


def test_an_artifact_is_merged_with_what_it_extends_and_reads(
    files: Files, registry: Registry
) -> None:
    service = "services: {web: {extends: {file: abc.yaml, service: base}, env_file: 123.env}}"
    name = publish(
        registry,
        (COMPOSE_FILE, {FILE: "compose.yaml"}, service),
        (COMPOSE_FILE, {FILE: "over.yaml"}, "services: {web: {command: over}}"),
        (COMPOSE_FILE, {FILE: "abc.yaml", EXTENDED: "true"}, "services: {base: {image: b}}"),
        (ENV_FILE, {"com.docker.compose.envfile": "123.env"}, "A=a\n"),
    )
    project = files.load(f"include: ['oci://{name}']\nservices: {{own: {{image: y}}}}")
    web = project.services["web"]
    assert (web.image, web.command, web.environment) == ("b", ("over",), {"A": "a"})
    assert set(files.load(files=(f"oci://{name}",)).services) == {"web"}


def test_a_pinned_artifact_that_is_here_asks_no_registry(files: Files, registry: Registry) -> None:
    name = publish(registry, (COMPOSE_FILE, {}, "services: {web: {image: x}}"))
    _, manifest = registry.content["/v2/team/app/manifests/1"]
    pinned = f"oci://{name}@{digest(manifest)}"
    assert set(files.load(files=(pinned,)).services) == {"web"}
    registry.requests.clear()
    assert set(files.load(files=(pinned,)).services) == {"web"}
    assert registry.requests == []
    files.load(files=(f"oci://{name}",))
    assert [method for method, _, _ in registry.requests] == ["HEAD"]


@pytest.mark.parametrize("name", ["../up.yaml", "/abs.yaml", "a/b.yaml", "..", "", "compose.yaml"])
def test_no_file_of_an_artifact_leads_out_of_its_directory(
    files: Files, registry: Registry, name: str
) -> None:
    reference = publish(
        registry,
        (COMPOSE_FILE, {}, "services: {web: {image: x}}"),
        (COMPOSE_FILE, {FILE: name, EXTENDED: "true"}, "services: {}"),
    )
    problem = files.problem(files=(f"oci://{reference}",))
    assert (problem.code, problem.where) == ("invalid-value", f"oci://{reference}")


def test_an_image_is_no_project_and_a_project_has_a_file(files: Files, registry: Registry) -> None:
    image = publish(registry, (COMPOSE_FILE, {}, "services: {}"), kind="application/vnd.other")
    assert "its type is application/vnd.other" in files.problem(files=(f"oci://{image}",)).what
    empty = publish(registry)
    assert "has no project file" in files.problem(files=(f"oci://{empty}",)).what


def test_an_artifact_is_checked_against_its_digests_and_may_not_be_large(
    files: Files, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "services: {web: {image: x}}"
    name = publish(registry, (COMPOSE_FILE, {}, text))
    blob = f"/v2/team/app/blobs/{digest(text.encode())}"
    registry.content[blob] = ("application/octet-stream", text.replace("x", "y").encode())
    assert files.problem(files=(f"oci://{name}",)).code == "remote-unavailable"
    monkeypatch.setattr("compose.source.artifact.LIMIT_BYTES", 10)
    assert "more than 10 bytes" in files.problem(files=(f"oci://{name}",)).what


def test_a_registry_that_does_not_know_it_is_named(files: Files, registry: Registry) -> None:
    problem = files.problem(f"include: ['oci://{registry.host}/team/none']")
    assert (problem.code, problem.where) == ("remote-unavailable", "compose.yaml:1:11")
