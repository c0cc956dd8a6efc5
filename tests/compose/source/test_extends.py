"""Services that extend others (compose-file.md 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from compose.model import Service
    from tests.compose.projects import Files


def extended(files: Files, base: str, own: str) -> Service:
    """Service `web` that extends `base` of the same file."""
    text = f"services: {{base: {{image: x, {base}}}, web: {{extends: {{service: base}}, {own}}}}}"
    return files.load(text, profiles=("p",)).services["web"]


def test_everything_is_inherited_and_the_own_keys_go_above(files: Files) -> None:
    service = extended(
        files,
        "command: [a], environment: {A: 1, B: 1}, ports: ['80:80'], profiles: [p], user: u",
        "environment: [B=2, C=2], ports: ['81:81'], profiles: []",
    )
    assert service.command == ("a",)
    assert service.environment == {"A": "1", "B": "2", "C": "2"}
    assert [port.published for port in service.ports] == [(80, 80), (81, 81)]
    assert (service.user, service.profiles) == ("u", ("p",))


def test_the_short_form_names_a_service_of_the_same_file(files: Files) -> None:
    project = files.load("services: {base: {image: x}, web: {extends: base, user: u}}")
    assert project.services["web"].image == "x"
    assert project.services["base"].user is None


def test_lists_begin_with_those_of_the_base(files: Files) -> None:
    assert extended(files, "dns: [1.1.1.1]", "dns: 2.2.2.2").dns == ("1.1.1.1", "2.2.2.2")


def test_a_chain_is_followed_to_its_end(files: Files) -> None:
    project = files.load(
        """
        services:
          a: {extends: b, labels: {a: a}}
          b: {extends: c, labels: {a: b, b: b}}
          c: {image: x, labels: {a: c, b: c, c: c}}
        """
    )
    assert project.services["a"].labels == {"a": "a", "b": "b", "c": "c"}
    assert project.services["b"].labels == {"a": "b", "b": "b", "c": "c"}


def test_reset_and_override_act_on_the_base_but_not_on_who_else_extends_it(files: Files) -> None:
    project = files.load(
        """
        services:
          base: {image: x, ports: ['80:80'], dns: [1.1.1.1], environment: {A: 1, B: 2}}
          web:
            extends: base
            ports: !reset []
            dns: !override [2.2.2.2]
            environment: {A: !reset null}
          api: {extends: base}
        """
    )
    web, api = project.services["web"], project.services["api"]
    assert (web.ports, web.dns, web.environment) == ((), ("2.2.2.2",), {"B": "2"})
    assert (len(api.ports), api.dns, api.environment) == (1, ("1.1.1.1",), {"A": "1", "B": "2"})


def test_a_reset_in_the_base_is_not_inherited(files: Files) -> None:
    files.write("services: {base: {image: x, user: a}, web: {image: x, user: b}}")
    files.write(
        "services: {base: {user: !reset null}, web: {extends: base}}", "compose.override.yaml"
    )
    project = files.load()
    assert project.services["base"].user is None
    assert project.services["web"].user == "b"


def test_paths_of_another_file_start_from_its_directory(files: Files) -> None:
    files.write("E=1", "sub/e.env")
    files.write("l=1", "sub/l.env")
    files.write(
        """
        services:
          base:
            image: x
            build: ./app
            env_file: e.env
            volumes: ['./data:/data:ro', named:/named, {type: bind, source: .., target: /up}]
        """,
        "sub/common.yaml",
    )
    service = files.load(
        """
        services:
          web:
            extends: {file: sub/common.yaml, service: base}
            volumes: ['./own:/own']
        volumes: {named: }
        """
    ).services["web"]
    assert service.build is not None
    assert service.build.context == f"{files.directory}/sub/app"
    assert service.environment == {"E": "1"}
    assert [(mount.source, mount.target) for mount in service.mounts] == [
        (f"{files.directory}/sub/data", "/data"),
        ("named", "/named"),
        (f"{files.directory}", "/up"),
        (f"{files.directory}/own", "/own"),
    ]


def test_a_chain_goes_over_files_each_with_its_own_directory(files: Files) -> None:
    files.write("services: {c: {image: x, build: .}}", "one/two/c.yaml")
    files.write("services: {b: {extends: {file: two/c.yaml, service: c}}}", "one/b.yaml")
    build = (
        files.load("services: {a: {extends: {file: one/b.yaml, service: b}}}").services["a"].build
    )
    assert build is not None
    assert build.context == f"{files.directory}/one/two"


def test_services_of_another_file_extend_those_beside_them(files: Files) -> None:
    files.write("services: {b: {extends: c}, c: {image: theirs}}", "b.yaml")
    project = files.load("services: {a: {extends: {file: b.yaml, service: b}}, c: {image: ours}}")
    assert project.services["a"].image == "theirs"
    assert set(project.services) == {"a", "c"}


def test_variables_in_the_other_file_are_those_of_the_project(files: Files) -> None:
    files.write("IMAGE=wrong", "sub/.env")
    files.write("services: {b: {image: '$IMAGE'}}", "sub/b.yaml")
    text = "services: {a: {extends: {file: sub/b.yaml, service: b}}}"
    assert files.load(text, {"IMAGE": "right"}).services["a"].image == "right"


def test_what_a_service_refers_to_is_not_imported(files: Files) -> None:
    files.write(
        "services: {b: {image: x, networks: [back], depends_on: [db]}, db: {image: y}}\n"
        "networks: {back: }",
        "b.yaml",
    )
    problems = files.problems("services: {a: {extends: {file: b.yaml, service: b}}}")
    assert {(problem.code, problem.where) for problem in problems} == {
        ("unknown-service", "b.yaml:1:57"),
        ("unknown-network", "b.yaml:1:37"),
    }


def test_a_disabled_service_may_be_the_base(files: Files) -> None:
    project = files.load(
        "services: {base: {image: x, profiles: [p]}, web: {extends: base, profiles: !reset []}}"
    )
    assert set(project.services) == {"web"}


def test_an_override_file_extends_a_service_of_the_file_before_it(files: Files) -> None:
    files.write("services: {base: {image: x, user: u}, web: {image: y}}")
    files.write("services: {web: {extends: base}}", "compose.override.yaml")
    assert files.load().services["web"].user == "u"


def test_an_included_service_can_be_extended(files: Files) -> None:
    files.write("services: {base: {image: x}}", "inc.yaml")
    project = files.load("include: [inc.yaml]\nservices: {web: {extends: base}}")
    assert project.services["web"].image == "x"


def test_positions_are_those_of_where_a_value_was_written(files: Files) -> None:
    files.write("services:\n  b:\n    image: x\n    user: u\n", "b.yaml")
    project = files.load(
        "services:\n  a:\n    extends: {file: b.yaml, service: b}\n    tty: true\n"
    )
    assert project.where("services.a.user") == "b.yaml:4:5"
    assert project.where("services.a.tty") == "compose.yaml:4:5"
    assert project.where("services.a") == "compose.yaml:2:3"


def test_a_problem_that_is_inherited_is_told_once_where_it_was_written(files: Files) -> None:
    problem = files.problem(
        """
        services:
          base: {image: x, comand: y}
          web: {extends: base}
          api: {extends: base}
        """
    )
    assert (problem.code, problem.where) == ("unknown-key", "compose.yaml:2:20")


def test_a_circle_is_named_with_its_places(files: Files) -> None:
    problem = files.problem(
        """
        services:
          a: {extends: b}
          b: {extends: c}
          c: {extends: a}
        """
    )
    assert problem.code == "extends-cycle"
    assert problem.what == "services extend each other in a circle: a -> b -> c -> a"
    assert problem.where == "compose.yaml:2:16"
    assert problem.hint == (
        "a extends b at compose.yaml:2:16; b extends c at compose.yaml:3:16; "
        "c extends a at compose.yaml:4:16"
    )


def test_a_circle_over_files_is_found(files: Files) -> None:
    files.write("services: {b: {extends: {file: compose.yaml, service: a}}}", "b.yaml")
    problem = files.problem("services: {a: {extends: {file: b.yaml, service: b}}}")
    assert problem.code == "extends-cycle"
    assert "b -> a -> b" in problem.what


def test_a_service_that_extends_itself(files: Files) -> None:
    assert files.problem("services: {a: {extends: a}}").code == "extends-cycle"


@pytest.mark.parametrize(
    ("extends", "code", "what", "hint"),
    [
        ("bas", "unknown-service", "service `web` extends `bas`, which is not defined", "`base`"),
        ("{file: b.yaml, service: x}", "unknown-service", "not defined in b.yaml", "`other`"),
        ("{file: no.yaml, service: x}", "file-not-found", "no.yaml", ""),
        ("{file: e.yaml, service: x}", "invalid-value", "has no services", ""),
        ("{file: b.yaml}", "missing-key", "lacks `service`", ""),
        ("{service: base, fil: x}", "unknown-key", "no key `fil`", "`file`"),
        ("[base]", "invalid-value", "must be a mapping or a string, not a list", ""),
        ("{file: 'https://h/c.yaml', service: x}", "invalid-value", "neither a repository", "oci:"),
    ],
)
def test_what_cannot_be_extended_is_told_once_with_its_place(
    files: Files, extends: str, code: str, what: str, hint: str
) -> None:
    files.write("services: {other: {image: x}}", "b.yaml")
    files.write("networks: {n: }", "e.yaml")
    problem = files.problem(f"services:\n  base: {{image: x}}\n  web:\n    extends: {extends}\n")
    assert problem.code == code
    assert what in problem.what
    assert hint in (problem.hint or "")
    assert problem.where


def test_files_that_are_extended_take_part_in_the_cache(files: Files) -> None:
    files.write("services: {b: {image: x}}", "b.yaml")
    project = files.load("services: {a: {extends: {file: b.yaml, service: b}}}")
    assert f"{files.directory}/b.yaml" in project.inputs.files
