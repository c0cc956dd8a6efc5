"""Merging files (compose-file.md 13), as far as a loaded project shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.errors import Conflict

if TYPE_CHECKING:
    from compose.model import Service
    from tests.compose.projects import Files


def merged(files: Files, base: str, over: str) -> Service:
    """Service `web` of two files, each given by the keys of that service."""
    for name, text in (("compose.yaml", base), ("compose.override.yaml", over)):
        lines = "\n".join(f"    {line}" for line in text.splitlines())
        files.write(f"services:\n  web:\n    image: base\n{lines}\n", name)
    return files.load().services["web"]


def test_scalars_are_replaced(files: Files) -> None:
    assert merged(files, "user: a", "user: b").user == "b"


def test_null_keeps_what_is_there(files: Files) -> None:
    files.write(
        "services: {db: {image: y}, "
        "web: {image: x, depends_on: {db: {condition: service_started}}}}"
    )
    files.write(
        "services: {web: {environment: {A: 1}}}\nnetworks: {default: }", "compose.override.yml"
    )
    assert set(files.load().services["web"].depends_on) == {"db"}


def test_command_is_replaced_and_null_returns_to_the_image(files: Files) -> None:
    assert merged(files, "command: [a, b]", "command: [c]").command == ("c",)
    assert merged(files, "command: [a, b]", "command: null").command is None


def test_environment_merges_by_key_in_either_form(files: Files) -> None:
    service = merged(files, "environment: [A=1, B=2]", "environment: {B: 3, C: 4}")
    assert service.environment == {"A": "1", "B": "3", "C": "4"}


def test_ports_are_appended_and_equal_ones_collapse(files: Files) -> None:
    service = merged(
        files,
        "ports: ['80:80', '443:443']",
        "ports: ['81:80', {target: 80, published: 80}]",
    )
    published = [port.published for port in service.ports]
    assert published == [(80, 80), (443, 443), (81, 81)]


def test_mounts_on_one_target_are_replaced_whole_at_the_earlier_place(files: Files) -> None:
    service = merged(files, "volumes: ['./a:/x:ro', './b:/y']", "volumes: ['./c:/x']")
    assert [(m.source.rpartition("/")[2], m.target, m.read_only) for m in service.mounts] == [
        ("c", "/x", False),
        ("b", "/y", False),
    ]


def test_dependencies_merge_between_short_and_long_form(files: Files) -> None:
    others = "\n  db: {image: x}\n  cache: {image: x}"
    files.write(f"services:\n  web: {{image: x, depends_on: [db]}}{others}")
    files.write(
        "services: {web: {depends_on: "
        "{db: {condition: service_healthy}, cache: {condition: service_started}}}}",
        "compose.override.yaml",
    )
    dependencies = files.load().services["web"].depends_on
    assert dependencies["db"].condition == "service_healthy"
    assert dependencies["cache"].condition == "service_started"


def test_build_string_and_mapping_merge(files: Files) -> None:
    service = merged(files, "build: ./app", "build: {target: dev}")
    assert service.build is not None
    assert service.build.context.endswith("/app")
    assert service.build.target == "dev"


def test_another_logging_driver_drops_the_options_of_the_first(files: Files) -> None:
    base = "logging: {driver: local, options: {max-file: '2'}}"
    same = merged(files, base, "logging: {options: {max-size: 1m}}").logging
    assert (same.max_files, same.max_size_bytes) == (2, 1_000_000)
    other = merged(files, base, "logging: {driver: json-file, options: {max-size: 1m}}").logging
    assert (other.max_files, other.max_size_bytes) == (None, 1_000_000)


def test_a_limit_of_the_later_file_replaces_the_whole_pair(files: Files) -> None:
    service = merged(files, "ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 5}")
    assert service.ulimits == {"nofile": (5, 5)}


def test_hosts_of_one_name_accumulate(files: Files) -> None:
    service = merged(files, "extra_hosts: {a: 1.1.1.1}", "extra_hosts: ['a=2.2.2.2', 'a=1.1.1.1']")
    assert service.extra_hosts == (("a", "1.1.1.1"), ("a", "2.2.2.2"))


def test_subnets_merge_by_their_subnet(files: Files) -> None:
    files.write(
        """
        services: {web: {image: x}}
        networks: {default: {ipam: {config: [{subnet: 10.5.0.0/16}]}}}
        """
    )
    files.write(
        """
        networks:
          default: {ipam: {config: [{subnet: 10.5.0.0/16, gateway: 10.5.0.9}]}}
        """,
        "compose.override.yaml",
    )
    assert files.load().networks["default"].subnets[0].gateway == "10.5.0.9"


def test_reset_removes_a_key(files: Files) -> None:
    assert merged(files, "ports: ['80:80']", "ports: !reset []").ports == ()


@pytest.mark.parametrize("base", ["environment: {A: 1, B: 2}", "environment: [A=1, B=2]"])
def test_reset_removes_one_variable(files: Files, base: str) -> None:
    assert merged(files, base, "environment: {A: !reset null}").environment == {"B": "2"}


def test_override_replaces_whole(files: Files) -> None:
    service = merged(files, "ports: ['80:80']", "ports: !override ['81:81']")
    assert [port.published for port in service.ports] == [(81, 81)]


def test_a_mapping_cannot_be_overridden_by_a_list(files: Files) -> None:
    files.write("services: {web: {image: x, healthcheck: {retries: 1}}}")
    files.write("services: {web: {healthcheck: [a]}}", "compose.override.yaml")
    problem = files.problem()
    assert isinstance(problem, Conflict)
    assert problem.where == "compose.override.yaml:1:31"


def test_documents_of_one_file_merge(files: Files) -> None:
    project = files.load("services: {web: {image: a}}\n---\nservices: {web: {image: b}}\n")
    assert project.services["web"].image == "b"


def test_the_last_of_equal_entries_in_one_file_counts(files: Files) -> None:
    service = merged(files, "environment: [A=1, A=2]\nvolumes: ['./a:/x', './b:/x']", "")
    assert service.environment == {"A": "2"}
    assert [mount.source.rpartition("/")[2] for mount in service.mounts] == ["b"]


def test_an_override_may_be_incomplete_and_the_result_is_checked(files: Files) -> None:
    files.write("services: {web: {build: .}}")
    files.write("services: {web: {labels: {a: b}}}", "compose.override.yaml")
    assert files.load().services["web"].labels == {"a": "b"}


def test_a_variable_without_value_overrides_one_with_a_value(files: Files) -> None:
    files.write("services: {web: {image: x, environment: [A=1, B=2]}}\n")
    files.write("services: {web: {environment: {A: , B: b}}}\n", "over.yaml")
    project = files.load(files=("compose.yaml", "over.yaml"), environment={})
    assert project.services["web"].environment == {"A": None, "B": "b"}
