"""Violations of the schema, and keys that are not built (compose-file.md 20.1, 21)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.compose.projects import Files


def test_an_unknown_key_is_named_with_the_nearest_known_one(files: Files) -> None:
    problem = files.problem(
        """
        services:
          web:
            image: x
            enviroment: {A: 1}
        """
    )
    assert problem.code == "unknown-key"
    assert problem.where == "compose.yaml:4:5"
    assert problem.what == "there is no key `enviroment` in `services.web`"
    assert problem.hint == "did you mean `environment`?"


def test_all_independent_problems_are_reported_together(files: Files) -> None:
    problems = files.problems(
        """
        services:
          web:
            image: x
            port: ['80:80']
            depends_on: [dbb]
          db:
            image: y
            restart: allways
            volumes: [data:/x]
            ports: ['80:x']
          worker: {}
        networks: {default: {internl: true}}
        """
    )
    assert [(problem.code, problem.where) for problem in problems] == [
        ("unknown-key", "compose.yaml:4:5"),
        ("invalid-value", "compose.yaml:8:14"),
        ("unknown-key", "compose.yaml:12:22"),
        ("invalid-value", "compose.yaml:10:13"),
        ("unknown-volume", "compose.yaml:9:15"),
        ("unknown-service", "compose.yaml:5:18"),
        ("no-image", "compose.yaml:11:3"),
    ]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ("ports: '80:80'", "services.web.ports: must be a list, not the string `80:80`"),
        ("user: 1000", "services.web.user: must be a string, not the number 1000"),
        ("environment:", "services.web.environment: must be a mapping or a list, not empty"),
        ("command: [1]", "services.web.command[0]: must be a string, not the number 1"),
        ("init: maybe", "services.web.init: `maybe` is neither true nor false"),
        ("scale: many", "services.web.scale: `many` is not a whole number"),
        ("stop_grace_period: 10", "must be a string, not the number 10"),
        ("stop_grace_period: '10'", "`10` lacks a unit"),
        ("mem_limit: 1gbb", "`1gbb` is not a size"),
        ("restart: allways", "services.web.restart: `allways` is not valid"),
        ("depends_on: {db: {}}", "services.web.depends_on.db: lacks `condition`"),
        ("depends_on: {db: {condition: healthy}}", "`healthy` is not `service_started`, "),
        ("oom_score_adj: 2000", "services.web.oom_score_adj: 2000 is above 1000"),
        ("security_opt: [a, a]", "services.web.security_opt: `a` is there twice"),
        ("volumes: [{target: /x}]", "services.web.volumes[0]: lacks `type`"),
        ("volumes: [{type: bind, target: /x}]", "a bind mount needs a `source`"),
        ("healthcheck: {test: [curl]}", "the list must begin with CMD"),
        ("environment: {'A ': 1}", "the name `A ` ends in a blank"),
        ("ports: [{target: 80, host_ip: x}]", "`x` is not an IP address"),
        ("ports: [{target: 80, protocol: x}]", "`x` is not one of tcp, udp, sctp"),
        ("deploy: {restart_policy: {condition: x}}", "`x` is not none, on-failure or any"),
        ("gpus: some", "services.web.gpus: `some` is not valid"),
        ("dns: [1.1.1.1, one]", "services.web.dns[1]: `one` is not an IP address"),
    ],
)
def test_a_wrong_value_says_what_is_expected(files: Files, keys: str, what: str) -> None:
    text = f"services:\n  web:\n    image: x\n    {keys}\n  db: {{image: x}}\n"
    problem = files.problem(text)
    assert what in problem.what
    assert problem.where is not None
    assert problem.where.startswith("compose.yaml:4:")


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("dockerfile: x", "build.dockerfile"),
        ("net: host", "network_mode"),
        ("log_driver: x", "logging.driver"),
        ("volume_driver: x", "driver"),
    ],
)
def test_keys_of_the_first_format_say_what_to_write_now(files: Files, key: str, hint: str) -> None:
    problem = files.problem(f"services:\n  web:\n    image: x\n    {key}\n")
    assert problem.code == "unknown-key"
    assert hint in str(problem.hint)


def test_a_string_in_place_of_a_list_says_how_to_write_one(files: Files) -> None:
    problem = files.problem("services: {web: {image: x, ports: '80:80'}}\n")
    assert problem.hint == 'write it as a list: `["80:80"]`'


def test_services_at_the_top_level_are_recognised(files: Files) -> None:
    problem = files.problem("web: {image: x}\n")
    assert problem.hint == "this looks like a service: indent it below `services:`"


def test_what_has_no_effect_is_named_in_a_warning(files: Files) -> None:
    project = files.load(
        """
        version: "3.8"
        services:
          web:
            image: x
            isolation: process
            deploy: {placement: {constraints: [a]}}
            command: echo a && echo b
            volumes: ['./x:/x:odd']
        """
    )
    assert {(notice.code, notice.where) for notice in project.warnings} == {
        ("obsolete-key", "compose.yaml:1:1"),
        ("no-effect", "compose.yaml:7:14"),
        ("no-effect", "compose.yaml:8:15"),
        ("no-effect", "compose.yaml:5:5"),
        ("no-effect", "compose.yaml:6:14"),
    }


def test_old_words_for_booleans_are_read_with_a_warning(files: Files) -> None:
    project = files.load("services: {web: {image: x, init: yes, tty: 'true'}}")
    assert project.services["web"].init
    (notice,) = project.warnings
    assert notice.what == "services.web.init: `yes` is read as `true`: better write that"


def test_ports_without_a_network_are_named_in_a_warning(files: Files) -> None:
    project = files.load("services: {web: {image: x, network_mode: host, ports: ['80:80']}}")
    assert [notice.where for notice in project.warnings] == ["compose.yaml:1:48"]


def test_a_version_that_is_a_number_is_refused(files: Files) -> None:
    problem = files.problem("version: 3.8\nservices: {web: {image: x}}\n")
    assert problem.what == "version: must be a string, not the number 3.8"
    assert problem.hint == "write it in quotes"


def test_extension_keys_are_accepted_where_the_format_names_the_keys(files: Files) -> None:
    project = files.load("x-a: {b: [1]}\nservices: {web: {image: x, x-c: 1, build: {x-d: 1}}}\n")
    assert project.extensions == {"x-a": {"b": [1]}}
    assert project.services["web"].extensions == {"x-c": 1, "build": {"x-d": 1}}


def test_a_name_of_a_service_has_its_grammar(files: Files) -> None:
    problem = files.problem("services: {'my web': {image: x}}\n")
    assert "cannot be a name" in problem.what


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_is_refused(files: Files, text: str) -> None:
    assert "empty" in files.problem(text).what


def test_services_without_entries_are_fine(files: Files) -> None:
    assert files.load("services: {}\n").services == {}
    assert files.load("name: x\n").services == {}
    assert "must be a mapping, not empty" in files.problem("services:\n").what
