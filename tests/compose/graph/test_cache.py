"""The cache of loaded projects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from compose.graph import cache
from compose.graph.cache import load_cached
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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

        real = load.load_ordered

        def counting(options: object) -> Project:
            self.loads += 1
            return real(options)  # type: ignore[arg-type]

        monkeypatch.setattr(load, "load_ordered", counting)

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
    monkeypatch.setattr(cache, "MAX_ENTRIES", 2)
    for name in ("a", "b", "c", "d", "e"):
        cached(project_name=name)
    entries = list(cached.directory.iterdir())
    assert len(entries) <= 3
    assert {entry.stat().st_mode & 0o777 for entry in entries} == {0o600}


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
