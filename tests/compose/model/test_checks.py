"""What of a project does not fit together, rule by rule (compose-file.md 20.2 and 20.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.compose.projects import Files

RULES = [
    # 20.2: parts on their own
    ("volumes: {v: {external: true, driver: x}}", "volumes: ['v:/v']", "conflicting-keys"),
    ("networks: {n: {external: {name: a}, name: b}}", "networks: [n]", "conflicting-keys"),
    ("configs: {c: {file: ./a, content: b}}", "configs: [c]", "conflicting-keys"),
    ("configs: {c: {}}", "configs: [c]", "missing-key"),
    ("secrets: {s: {file: ./a, environment: B}}", "secrets: [s]", "conflicting-keys"),
    ("secrets: {s: {}}", "secrets: [s]", "missing-key"),
    ("", "ports: [{target: 80, host_ip: name}]", "invalid-value"),
    ("", "develop: {watch: [{path: ' ', action: rebuild}]}", "invalid-value"),
    ("", "gpus: [{count: 1, device_ids: ['0']}]", "conflicting-keys"),
    ("", "volumes: [{type: bind, target: /x}]", "missing-key"),
    ("", "ports: ['a:b']", "invalid-value"),
    ("", "volumes: ['/a::/b']", "invalid-value"),
    ("", "devices: ['/a:/b:/c:/d']", "invalid-value"),
    ("", "build: {context: ., ssh: [own]}", "invalid-value"),
    # 20.3: parts together
    ("", "build: {dockerfile: D, dockerfile_inline: FROM x}", "conflicting-keys"),
    ("", "build: {context: ., additional_contexts: {a: 'service:none'}}", "unknown-service"),
    ("", "build: {context: ., additional_contexts: {a: 'service:db'}}", "conflicting-keys"),
    ("", "platform: linux/arm64\n    build: {platforms: [linux/amd64]}", "conflicting-keys"),
    ("networks: {n: }", "network_mode: host\n    networks: [n]", "conflicting-keys"),
    ("", "networks: [none]", "unknown-network"),
    ("", "volumes: ['none:/x']", "unknown-volume"),
    ("", "configs: [none]", "unknown-config"),
    ("", "secrets: [none]", "unknown-secret"),
    ("", "build: {context: ., secrets: [none]}", "unknown-secret"),
    ("", "models: [none]", "unknown-model"),
    ("", "healthcheck: {test: [curl]}", "invalid-value"),
    ("", "depends_on: [none]", "unknown-service"),
    ("", "network_mode: 'service:none'", "unknown-service"),
    ("", "scale: 2\n    deploy: {replicas: 3}", "conflicting-keys"),
    ("", "scale: -1", "invalid-value"),
    ("", "cpus: 1\n    deploy: {resources: {limits: {pids: 5}}}", "conflicting-keys"),
    ("", "mem_reservation: 1g\n    deploy: {resources: {reservations: {}}}", "conflicting-keys"),
    ("", "container_name: one\n    scale: 2", "conflicting-keys"),
    ("", "develop: {watch: [{path: ., action: sync}]}", "missing-key"),
    ("", "volumes: ['/a:/x']\n    tmpfs: /x", "mount-target-twice"),
    ("", "depends_on: [web]", "dependency-cycle"),
]
LOADS = ("networks: [none]", "volumes: ['none:/x']", "secrets: [none]", "depends_on: [none]")


@pytest.mark.parametrize(("resources", "keys", "code"), RULES)
def test_it_is_refused_with_its_place(files: Files, resources: str, keys: str, code: str) -> None:
    text = f"services:\n  web:\n    image: x\n    {keys}\n  db: {{image: y}}\n{resources}\n"
    problem = files.problem(text)
    assert problem.code == code
    assert str(problem.where).startswith("compose.yaml:")


def test_a_service_has_an_image_or_a_build_or_a_provider(files: Files) -> None:
    problem = files.problem("services: {web: {command: a}}")
    assert (problem.code, problem.where) == ("no-image", "compose.yaml:1:12")


@pytest.mark.parametrize("keys", LOADS)
def test_what_leads_nowhere_can_be_let_pass(files: Files, keys: str) -> None:
    files.load(f"services: {{web: {{image: x, {keys}}}}}", consistency=False)


def test_nothing_of_a_disabled_service_has_to_lead_somewhere(files: Files) -> None:
    text = "services: {web: {profiles: [p], networks: [none], depends_on: [none]}}"
    assert set(files.load(text).disabled) == {"web"}
