"""The canonical output (compose-file.md 19): printed and read again it is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.graph.load import load_ordered
from compose.model.options import LoadOptions
from compose.model.plain import escaped, plain_project
from compose.source.write import to_yaml
from compose.source.yaml import parse_documents
from engine.errors import Problem

if TYPE_CHECKING:
    from compose.model import Project
    from tests.compose.projects import Files

CORPUS = Path(__file__).parents[4] / "shared/corpus"
SAMPLES = Path(__file__).parents[3] / "samples"

EVERYTHING = """
name: all
x-top: {a: [1, yes]}
services:
  db:
    image: y
    profiles: []
  web:
    image: x
    build: {context: ./c, args: {A: $$1}, dockerfile_inline: "FROM x\\nRUN y\\n"}
    command: sh -c 'echo $$HOME'
    entrypoint: []
    environment: {A: "yes", B: "0440", C: "1e6", D: "22:22", E: $$x, F: "null", G: "", H: null}
    ports: ["8080:80", 127.0.0.1:9000-9010:90/udp, 70]
    volumes: ["./a:/a:ro,z", "data:/b:nocopy", /c, {type: tmpfs, target: /t, tmpfs: {mode: 01777}}]
    tmpfs: ["/run:size=1m,mode=755", /var/run]
    networks: {default: {aliases: [w], ipv4_address: 10.0.0.7}, other: }
    links: [db]
    depends_on: {db: {condition: service_healthy, required: false}}
    healthcheck: {test: a b, interval: 90s, retries: 2}
    restart: on-failure:3
    deploy: {replicas: 2, resources: {limits: {memory: 64m, cpus: "0.5"}}}
    ulimits: {nofile: 5, core: {soft: 0, hard: 1}}
    extra_hosts: {b: 1.1.1.1, a: [2.2.2.2, host-gateway]}
    logging: {driver: local, options: {max-size: 1m}}
    stop_grace_period: 1m
    labels: {multi: "a\\nb\\n", "on": "off"}
    x-own: {k: v}
networks:
  other: {internal: true, ipam: {config: [{subnet: 10.1.0.0/16}]}}
volumes: {data: {labels: {a: b}}}
"""


def printed(project: Project, form: str) -> str:
    plain = escaped(plain_project(project))
    return to_yaml(plain) if form == "yaml" else json.dumps(plain)


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_printed_project_reads_back_the_same(files: Files, form: str) -> None:
    first = files.load(EVERYTHING)
    text = printed(first, form)
    again = files.load(text)
    assert printed(again, form) == text
    assert again.services["web"].digest == first.services["web"].digest
    assert again.networks == first.networks
    assert again.volumes == first.volumes


def corpus() -> list[Path]:
    found = [*CORPUS.rglob("*compose*.y*ml"), *SAMPLES.rglob("*compose*.y*ml")]
    return sorted(found)


@pytest.mark.material
def test_the_corpus_is_there() -> None:
    if not CORPUS.exists():
        pytest.skip("the corpus of public Compose files is not beside the repository")
    assert len(corpus()) > 30


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.parent.name)
def test_public_files_load_or_are_refused_by_name(path: Path, tmp_path: Path) -> None:
    try:
        project = load(path, path.parent)
    except (Problem, ExceptionGroup) as error:
        group = error if isinstance(error, ExceptionGroup) else ExceptionGroup("", [error])
        assert {getattr(one, "code", None) for one in group.exceptions} == {"not-built-yet"}
        return
    text = printed(project, "yaml")
    copy = tmp_path / "compose.yaml"
    copy.write_text(text)
    assert printed(load(copy, path.parent), "yaml") == text


def load(path: Path, directory: Path) -> Project:
    return load_ordered(
        LoadOptions(
            working_directory=str(directory),
            environment={"HOME": "/root"},
            files=(str(path),),
            project_directory=str(directory),
        )
    )


leaves = st.one_of(st.text(), st.integers(), st.booleans(), st.none())
documents = st.dictionaries(
    st.text(), st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
)


@given(documents)
def test_what_is_written_as_yaml_reads_back(document: dict[str, object]) -> None:
    assert parse_documents(to_yaml(document), "f") == [document]
