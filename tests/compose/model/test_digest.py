"""What changes the digest of a service (cli.md 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.compose.projects import Files


def digest(files: Files, keys: str) -> str:
    text = f"services:\n  db: {{image: y}}\n  web:\n    image: x\n    {keys}\n"
    return files.load(text).services["web"].digest


@pytest.mark.parametrize(
    "keys",
    [
        "pull_policy: always",
        "build: .",
        "scale: 3",
        "deploy: {replicas: 2}",
        "depends_on: [db]",
        "x-note: anything",
        "restart: no",
        "stop_grace_period: 10s",
        "networks: [default]",
        "environment: {}",
    ],
)
def test_what_leaves_containers_alone(files: Files, keys: str) -> None:
    assert digest(files, keys) == digest(files, "attach: true")


@pytest.mark.parametrize(
    "keys",
    [
        "environment: {A: b}",
        "command: [x]",
        "command: []",
        "labels: {a: b}",
        "ports: ['80:80']",
        "mem_limit: 64m",
        "restart: always",
        "network_mode: none",
    ],
)
def test_what_needs_new_containers(files: Files, keys: str) -> None:
    assert digest(files, keys) != digest(files, "attach: true")


def test_editing_an_env_file_changes_it(files: Files) -> None:
    files.write("A=1\n", "x.env")
    before = digest(files, "env_file: x.env")
    files.write("A=2\n", "x.env")
    assert digest(files, "env_file: x.env") != before


def test_what_a_seccomp_profile_says_counts(files: Files) -> None:
    files.write("{}", "x.json")
    before = digest(files, "security_opt: ['seccomp=x.json']")
    files.write("{ }", "x.json")
    assert digest(files, "security_opt: ['seccomp=x.json']") != before


def test_forms_and_order_do_not_matter(files: Files) -> None:
    assert digest(files, "environment: {A: '1', B: '2'}") == digest(
        files, "environment: [B=2, A=1]"
    )
    assert digest(files, "ports: ['80:80']") == digest(
        files, "ports: [{target: 80, published: 80}]"
    )
