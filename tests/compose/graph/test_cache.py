"""The cache of loaded projects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compose.graph import cache, entries
from compose.graph.cache import load_cached
from engine.errors import Problem
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model import Project
    from tests.compose.projects import Files

TEXT = """
x-more: {list: [1, [2, three]]}
services:
  web:
    image: x:${TAG:-1}
    env_file: web.env
    ports: ["80:80"]
    ulimits: {nofile: 9, core: {soft: 1, hard: 2}}
    depends_on: {db: {condition: service_healthy}}
    volumes: ["./a:/a", "data:/b"]
  db: {image: y, healthcheck: {test: a b}}
  debug: {image: z, profiles: [tools]}
volumes: {data: }
"""


class Cached:
    """Loads through a cache, and whether they came from it."""

    def __init__(self, files: Files, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files, self.directory = files, directory
        self.loads = 0
        from compose.graph import load

        real = load.load_checked

        def counting(options: object) -> Project:
            self.loads += 1
            return real(options)  # type: ignore[arg-type]

        monkeypatch.setattr(load, "load_checked", counting)

    def __call__(self, environment: Mapping[str, str] = {}, **options: object) -> Project:
        return load_cached(self.files.options(environment, **options), str(self.directory))

    def hits(self, environment: Mapping[str, str] = {}, **options: object) -> bool:
        before = self.loads
        self(environment, **options)
        return self.loads == before


@pytest.fixture
def cached(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cached:
    files.write(TEXT)
    files.write("A=1\n", "web.env")
    return Cached(files, tmp_path / "cache", monkeypatch)


def test_what_comes_from_the_cache_is_what_was_loaded(cached: Cached) -> None:
    loaded = cached()
    again = cached()
    assert cached.loads == 1
    assert again == loaded
    assert again.where("services.web.ports[0]") == "compose.yaml:6:13"


def test_any_file_that_took_part_counts(cached: Cached) -> None:
    cached()
    cached.files.write("A=2\n", "web.env")
    assert cached().services["web"].environment == {"A": "2"}
    cached.files.write("TAG=2\n", ".env")
    assert cached().services["web"].image == "x:2"
    cached.files.write("services: {web: {image: over}}", "compose.override.yaml")
    assert cached().services["web"].image == "over"
    (cached.files.directory / "compose.override.yaml").unlink()
    assert cached().services["web"].image == "x:2"
    assert cached.hits()


def test_a_change_that_keeps_size_and_times_counts(cached: Cached) -> None:
    cached()
    path = cached.files.directory / "web.env"
    times = path.stat()
    path.write_text("A=7\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cached().services["web"].environment == {"A": "7"}


def test_variables_that_took_part_count_and_others_do_not(cached: Cached) -> None:
    cached()
    assert cached.hits({"UNRELATED": "x"})
    assert cached({"TAG": "3"}).services["web"].image == "x:3"


def test_options_have_entries_of_their_own(cached: Cached) -> None:
    cached()
    assert not cached.hits(profiles=("tools",))
    assert cached.hits(profiles=("tools",))
    assert cached.hits()


def test_named_services_that_are_enabled_share_the_common_entry(cached: Cached) -> None:
    cached()
    assert cached.hits(services=("web",))
    assert "debug" in cached(services=("debug",)).services


@pytest.mark.parametrize("damage", ["", "{}", "\n\n", "key\n{}\n{}", '{"a":'])
def test_a_damaged_entry_is_made_anew(cached: Cached, damage: str) -> None:
    cached()
    (entry,) = cached.directory.iterdir()
    entry.write_text(damage)
    assert not cached.hits()
    assert cached.hits()


def test_an_entry_of_other_code_is_not_used(cached: Cached) -> None:
    cached()
    (entry,) = cached.directory.iterdir()
    key, *rest = entry.read_text().split("\n")
    version, _stamp, options = json.loads(key)
    entry.write_text("\n".join([json.dumps([version, 1, options]), *rest]))
    assert not cached.hits()


def test_a_directory_that_cannot_be_written_is_no_error(cached: Cached) -> None:
    cached.directory.write_text("a file is in the way")
    assert cached().name == "shop"


def test_problems_are_not_kept(cached: Cached) -> None:
    cached.files.write("services: {web: {imag: x}}")
    for _ in range(2):
        with pytest.raises((Problem, ExceptionGroup)):
            cached()
    assert not cached.directory.exists()


def test_entries_are_private_and_their_number_is_bounded(
    cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "MAX_ENTRIES", 2)
    for name in ("a", "b", "c", "d", "e"):
        cached(project_name=name)
    files = list(cached.directory.iterdir())
    assert len(files) <= 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_directory_that_others_could_read_is_closed_to_them(cached: Cached) -> None:
    cached.directory.mkdir(mode=0o755)
    cached()
    assert cached.directory.stat().st_mode & 0o777 == 0o700


@needs_root
def test_an_entry_that_somebody_else_wrote_is_not_used(cached: Cached) -> None:
    cached()
    (entry,) = cached.directory.iterdir()
    os.chown(entry, 1, 1)
    assert not cached.hits()
    assert entry.stat().st_uid == 0


@pytest.mark.parametrize(
    "name", ["compose.override.yml", "docker-compose.override.yaml", ".env", "other.env"]
)
def test_a_file_that_was_looked_for_and_comes_to_be_counts(cached: Cached, name: str) -> None:
    cached.files.write(TEXT.replace("web.env", "[web.env, {path: other.env, required: false}]"))
    cached()
    assert cached.hits()
    cached.files.write("B=1\n" if name.endswith("env") else "services: {}\n", name)
    assert not cached.hits()


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (
            "include: [more]\nservices: {web: {image: x}}",
            "services: {a: {image: a}}",
            "services: {a: {image: b}}",
        ),
        (
            "services: {web: {extends: {file: more, service: a}}}",
            "services: {a: {image: a}}",
            "services: {a: {image: b}}",
        ),
        ("services: {web: {image: x, label_file: more}}", "a=b", "a=c"),
    ],
)
def test_files_that_a_file_names_count(cached: Cached, text: str, before: str, after: str) -> None:
    cached.files.write(text)
    cached.files.write(before, "more")
    cached()
    assert cached.hits()
    cached.files.write(after, "more")
    assert not cached.hits()


def test_a_nearer_project_file_counts(cached: Cached) -> None:
    below = cached.files.directory / "below"
    below.mkdir()
    cached(working_directory=str(below))
    assert cached.hits(working_directory=str(below))
    cached.files.write("services: {near: {image: x}}", "below/compose.yml")
    assert "near" in cached(working_directory=str(below)).services


def test_where_a_symbolic_link_leads_counts(cached: Cached, tmp_path: Path) -> None:
    link = tmp_path / "link"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text("services: {web: {image: x}}")
    for name in ("one", "two"):
        link.unlink(missing_ok=True)
        link.symlink_to(name)
        assert f"to `{name}`" in cached(working_directory=str(link)).warnings[0].what


def test_what_cannot_be_read_twice_is_not_kept(cached: Cached) -> None:
    for image in ("one", "two"):
        read, write = os.pipe()
        os.write(write, f"name: p\nservices: {{web: {{image: {image}}}}}".encode())
        os.close(write)
        project = cached(files=(f"/dev/fd/{read}",))
        os.close(read)
        assert project.services["web"].image == image
    assert not cached.directory.exists()


SECRETS = """
services: {web: {image: x, secrets: [token], configs: [greeting]}}
secrets: {token: {environment: TOKEN}, unused: {environment: OTHER}}
configs: {greeting: {environment: GREETING}}
"""
VALUES = {"TOKEN": "s3cret-one", "OTHER": "s3cret-two", "GREETING": "hello"}


def test_a_project_with_secrets_of_variables_is_kept_without_them(cached: Cached) -> None:
    cached.files.write(SECRETS)
    loaded = cached(VALUES)
    assert cached.hits(VALUES)
    assert cached(VALUES) == loaded
    assert loaded.secrets["token"].content == "s3cret-one"
    (entry,) = cached.directory.iterdir()
    assert "s3cret" not in entry.read_text()


@pytest.mark.parametrize("name", VALUES)
def test_a_secret_or_config_that_changes_counts(cached: Cached, name: str) -> None:
    cached.files.write(SECRETS)
    cached(VALUES)
    assert not cached.hits(VALUES | {name: "x"})
    assert cached.hits(VALUES | {name: "x"})


def test_a_secret_that_is_not_set_any_more_counts(cached: Cached) -> None:
    cached.files.write(SECRETS)
    cached(VALUES)
    assert cached({"GREETING": "hello"}).secrets["token"].content is None


def test_secrets_of_environment_files_are_kept_and_count(cached: Cached) -> None:
    cached.files.write(SECRETS)
    cached.files.write("TOKEN=one\nOTHER=two\nGREETING=three\n", ".env")
    loaded = cached()
    assert cached.hits()
    assert cached() == loaded
    assert cached({"TOKEN": "shell"}).secrets["token"].content == "shell"
    assert cached().secrets["token"].content == "one"


def test_an_entry_is_of_what_is_installed_whether_compiled_or_not(tmp_path: Path) -> None:
    root = Path(cache.__file__).parents[2]
    for name in ("compose", "engine", "schemas"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / name, tmp_path / name, ignore=ignored)
    program = "from compose.graph import cache; print(cache.__file__, cache._code_stamp())"

    def stamp(**more: str) -> str:
        command = [sys.executable, "-c", program]
        env = {**os.environ, **more}
        result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert result.stdout.startswith(str(tmp_path)), result.stderr
        return result.stdout

    first = stamp(PYTHONDONTWRITEBYTECODE="1")
    assert stamp(PYTHONDONTWRITEBYTECODE="") == first
    assert stamp() == first
    os.utime(tmp_path / "compose/model/service.py", ns=(0, 0))  # older, as another release may be
    assert stamp() != first


def test_an_unchanged_project_needs_none_of_the_slow_imports(cached: Cached) -> None:
    cached()
    program = """
import sys
from compose.graph.cache import load_cached
from compose.model.options import LoadOptions
project = load_cached(
    LoadOptions(working_directory=sys.argv[1], environment={"HOME": "/home/me"}), sys.argv[2]
)
assert project.services["web"].environment == {"A": "1"}
slow = {"ruamel.yaml", "jsonschema", "networkx", "dataclasses", "pathlib", "typing", "asyncio"}
print(sorted(slow & sys.modules.keys()))
"""
    result = subprocess.run(
        [sys.executable, "-c", program, str(cached.files.directory), str(cached.directory)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"


def test_the_graph_is_added_when_it_is_wanted_first(cached: Cached) -> None:
    assert cached(ordered=False).dependencies.nodes == ()
    ordered = cached()
    assert ordered.dependencies.services() == ("db", "web")
    assert cached.loads == 1
    assert cached(ordered=False) == cached() == ordered
    assert cached.loads == 1


@pytest.mark.parametrize("ordered", [True, False])
def test_circles_are_refused_whether_there_is_a_graph_or_not(cached: Cached, ordered: bool) -> None:
    cached.files.write("services: {a: {image: x, links: [b]}, b: {image: x, depends_on: [a]}}")
    with pytest.raises(Problem, match="in a circle: a -> b -> a"):
        cached(ordered=ordered)
