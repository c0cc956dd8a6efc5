"""What Compose has and Buoy has not is refused when it is needed, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.errors import NotBuilt
from compose.reconcile.built import check_build_built, check_built
from engine import has_sctp
from engine.errors import Problem

if TYPE_CHECKING:
    from compose.model import Project
    from tests.compose.projects import Files


def refused(project: Project) -> list[Problem]:
    """What `up` would say of all services."""
    try:
        check_built(project, project.services.values())
    except Problem as problem:
        return [problem]
    except ExceptionGroup as group:
        return [one for one in group.exceptions if isinstance(one, Problem)]
    return []


@pytest.mark.parametrize(
    "keys",
    [
        "runtime: runsc",
        "network_mode: some-network",
        "logging: {driver: syslog}",
        "volumes: [{type: cluster, source: y, target: /x}]",
        "volumes: [{type: npipe, source: y, target: /x}]",
        "volumes: ['C:\\\\x:/x']",
        "platform: plan9/mips",
        "build: {context: ., network: 'service:b'}",
        "volumes: ['nfs:/x']",
        "secrets: [outside]",
        "configs: [templated]",
        "pre_start: [{command: a, per_replica: true}]",
        "use_api_socket: true",
        "models: [llm]",
    ],
)
def test_it_loads_and_is_refused_by_name_with_its_place(files: Files, keys: str) -> None:
    files.write("text", "x")
    project = files.load(
        f"""
        services:
          web:
            image: x
            {keys}
          db: {{image: x}}
        networks: {{net: }}
        volumes: {{v: , nfs: {{driver: nfs}}}}
        secrets: {{outside: {{external: true}}}}
        configs: {{templated: {{file: ./x, template_driver: golang}}}}
        models: {{llm: {{model: ai/x}}}}
        """
    )
    (problem,) = refused(project)
    assert problem.code == "not-built-yet"
    assert problem.where is not None


MISSING = """
services:
  web: {image: x, env_file: [no.env, {path: none.env, required: false}], label_file: l.env}
  db: {image: x, secrets: [password], configs: [conf]}
  other: {image: x}
secrets: {password: {file: ./password.txt}}
configs: {conf: {file: ./conf.txt}}
"""


def test_files_that_are_missing_stop_only_those_who_need_them(files: Files) -> None:
    project = files.load(MISSING)
    found = {(one.code, one.where, one.what.rpartition("/")[2]) for one in refused(project)}
    assert found == {
        (
            "file-not-found",
            "compose.yaml:2:30",
            "services.web: env_file no.env does not exist",
        ),
        ("file-not-found", "compose.yaml:2:86", "services.web: label_file l.env does not exist"),
        ("file-not-found", "compose.yaml:5:22", "password.txt does not exist"),
        ("file-not-found", "compose.yaml:6:18", "conf.txt does not exist"),
    }
    check_built(project, [project.services["other"]])
    for name, text in {"password.txt": "p", "conf.txt": "c"}.items():
        files.write(text, name)
    check_built(project, [project.services["db"]])


def test_all_of_it_is_told_at_once(files: Files) -> None:
    project = files.load(
        "services: {a: {image: x, use_api_socket: true, runtime: y}, b: {image: x, runtime: z}}"
    )
    assert [problem.where for problem in refused(project)] == [
        "compose.yaml:1:26",
        "compose.yaml:1:57",
        "compose.yaml:1:84",
    ]


def test_services_that_do_not_need_it_go_on(files: Files) -> None:
    project = files.load(
        "services: {a: {image: x, runtime: y}, b: {image: x}}\nvolumes: {v: {driver: nfs}}"
    )
    check_built(project, [project.services["b"]])
    with pytest.raises(NotBuilt):
        check_built(project, [project.services["a"]])


def test_what_only_a_build_needs_is_refused_by_builds(files: Files) -> None:
    project = files.load("services: {a: {build: {context: ., network: 'container:b'}, runtime: y}}")
    with pytest.raises(NotBuilt, match="container:b"):
        check_build_built(project, project.services["a"])


def test_what_is_watched_keeps_nothing_from_starting(files: Files) -> None:
    project = files.load(
        "services: {a: {build: ., develop: {watch: [{path: ., action: rebuild}]}}}"
    )
    assert refused(project) == []


def test_a_secret_of_a_variable_that_is_not_set(files: Files) -> None:
    text = "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: TOKEN}}"
    (problem,) = refused(files.load(text))
    assert (problem.code, problem.where) == ("required-variable", "compose.yaml:2:15")
    assert refused(files.load(text, {"TOKEN": ""})) == []


@pytest.mark.skipif(has_sctp(), reason="this kernel has SCTP")
def test_what_the_kernel_has_not_is_refused_by_name_all_at_once(files: Files) -> None:
    project = files.load(
        "services: {web: {image: x, ports: ['80:80/sctp', '81:81', '82:82/sctp']}}"
    )
    problems = refused(project)
    assert [problem.what for problem in problems] == [
        "`services.web.ports[0]`: this kernel has no SCTP",
        "`services.web.ports[2]`: this kernel has no SCTP",
    ]
    assert {problem.code for problem in problems} == {"not-in-kernel"}
    assert all(problem.where for problem in problems)
