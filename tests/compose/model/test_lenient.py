"""What docker compose loads is loaded, with the same meaning (compose-file.md 4, 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.model.plain import plain_project

if TYPE_CHECKING:
    from typing import Any

    from tests.compose.projects import Files


@pytest.mark.parametrize(
    ("written", "key", "printed"),
    [
        ("ports: ['80/']", "ports", [{"mode": "ingress", "target": 80, "protocol": "tcp"}]),
        ("labels: {'a ': x}", "labels", {"a ": "x"}),
        ("labels: ['a =x']", "labels", {"a ": "x"}),
        ("healthcheck: {test: [], retries: 3}", "healthcheck", {"retries": 3}),
        ("mem_swappiness: -1", "mem_swappiness", "-1"),
        ("environment: {A: 1e400}", "environment", {"A": "1e400"}),
        ("post_start: [{command: []}]", "post_start", [{"command": []}]),
        ("user: ''", "user", None),
        ("hostname: ''", "hostname", None),
    ],
)
def test_it_means_what_it_means_there(files: Files, written: str, key: str, printed: Any) -> None:
    plain = plain_project(files.load(f"services: {{web: {{image: x, {written}}}}}"))
    assert plain["services"]["web"].get(key) == printed


def test_an_empty_name_names_nothing(files: Files) -> None:
    assert files.load("name: ''\nservices: {web: {image: x}}").name == "shop"


def test_an_empty_profile_is_always_active(files: Files) -> None:
    services = files.load("services: {web: {image: x, profiles: ['']}}").services
    assert list(services) == ["web"]


def test_an_empty_text_of_a_config_is_printed(files: Files) -> None:
    text = "configs: {c: {content: ''}}\nservices: {web: {image: x, configs: [c]}}"
    assert plain_project(files.load(text))["configs"]["c"] == {"name": "shop_c", "content": ""}


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("healthcheck: {test: a, retries: -1}", "less than none"),
        ("build: {context: ., ulimits: {nofile: x}}", "`x` is not a whole number"),
        ("ulimits: {nofile: -2}", "-2 is not a limit"),
    ],
)
def test_what_it_refuses_is_refused(files: Files, written: str, what: str) -> None:
    problem = files.problem(f"services: {{web: {{image: x, {written}}}}}")
    assert problem.code == "invalid-value"
    assert what in problem.what
