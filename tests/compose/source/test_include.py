"""Projects that include others (compose-file.md 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.compose.projects import Files


def test_all_kinds_of_resources_are_added(files: Files) -> None:
    files.write(
        """
        name: theirs
        x-own: 1
        services: {db: {image: y, volumes: ['data:/d'], networks: [back]}}
        volumes: {data: }
        networks: {back: }
        """,
        "sub/db.yaml",
    )
    project = files.load("include: [sub/db.yaml]\nservices: {web: {image: x, depends_on: [db]}}")
    assert set(project.services) == {"db", "web"}
    assert project.volumes["data"].name == "shop_data"
    assert project.networks["back"].name == "shop_back"
    assert (project.name, project.extensions) == ("shop", {})


def test_paths_start_from_the_directory_of_the_first_file(files: Files) -> None:
    files.write("services: {db: {build: {dockerfile: D}, volumes: ['./data:/d']}}", "sub/db.yaml")
    files.write("services: {db: {volumes: ['./more:/m']}}", "other/over.yaml")
    project = files.load("include: [{path: [sub/db.yaml, other/over.yaml]}]\nservices: {}")
    db = project.services["db"]
    assert db.build is not None
    assert db.build.context == f"{files.directory}/sub"
    assert [mount.source for mount in db.mounts] == [
        f"{files.directory}/sub/data",
        f"{files.directory}/sub/more",
    ]


def test_the_project_directory_can_be_given(files: Files) -> None:
    files.write("services: {db: {build: ./app}}", "sub/db.yaml")
    project = files.load("include: [{path: sub/db.yaml, project_directory: elsewhere}]")
    build = project.services["db"].build
    assert build is not None
    assert build.context == f"{files.directory}/elsewhere/app"


def test_variables_come_from_the_parent_then_the_included_directory(files: Files) -> None:
    files.write("A=inner\nB=inner\nC=$A-$B\n", "sub/.env")
    files.write("A=outer\n", ".env")
    files.write("services: {db: {image: '$A-$B-$C', environment: [B]}}", "sub/db.yaml")
    files.write("include: [sub/db.yaml]\nservices: {web: {image: 'x-$B'}}")
    project = files.load()
    assert project.services["db"].image == "outer-inner-outer-inner"
    assert project.services["db"].environment == {"B": "inner"}
    assert project.services["web"].image == "x-"
    assert project.environment_files == (f"{files.directory}/.env",)


def test_env_files_can_be_given_and_the_later_ones_win(files: Files) -> None:
    files.write("A=default", "sub/.env")
    files.write("A=one\nB=one", "one.env")
    files.write("B=two", "two.env")
    files.write("services: {db: {image: '$A-$B'}}", "sub/db.yaml")
    project = files.load("include: [{path: sub/db.yaml, env_file: [one.env, two.env]}]")
    assert project.services["db"].image == "one-two"
    project = files.load("include: [{path: sub/db.yaml, env_file: /dev/null}]")
    assert project.services["db"].image == "-"


def test_paths_of_include_take_variables_of_the_parent(files: Files) -> None:
    files.write("services: {db: {image: y}}", "sub/db.yaml")
    project = files.load("include: ['${WHERE}/db.yaml']", {"WHERE": "sub"})
    assert set(project.services) == {"db"}


def test_the_file_goes_above_what_it_includes(files: Files) -> None:
    files.write("services: {db: {image: y, ports: ['1:1'], user: a, dns: [1.1.1.1]}}", "db.yaml")
    project = files.load(
        "include: [db.yaml]\n"
        "services: {db: {image: mine, ports: ['2:2'], user: !reset null, dns: !override [2.2.2.2]}}"
    )
    db = project.services["db"]
    assert (db.image, db.user, db.dns) == ("mine", None, ("2.2.2.2",))
    assert [port.target for port in db.ports] == [1, 2]


def test_of_two_that_are_included_the_first_goes_above_the_second(files: Files) -> None:
    files.write("services: {db: {image: a}}", "a.yaml")
    files.write("services: {db: {image: b, user: b}}", "b.yaml")
    db = files.load("include: [a.yaml, b.yaml]").services["db"]
    assert (db.image, db.user) == ("a", "b")


def test_an_override_file_acts_on_what_the_first_file_includes(files: Files) -> None:
    files.write("services: {db: {image: a, user: u}}", "a.yaml")
    files.write("include: [a.yaml]\nservices: {web: {image: x}}")
    files.write("services: {db: {user: !reset null, tty: true}}", "compose.override.yaml")
    db = files.load().services["db"]
    assert (db.image, db.user, db.tty) == ("a", None, True)


def test_a_reset_within_the_included_project_stays_there(files: Files) -> None:
    files.write("services: {db: {image: a}}", "a.yaml")
    files.write("services: {db: {user: !reset null}}", "b.yaml")
    files.write("services: {db: {image: x, user: u}}")
    files.write("include: [{path: [a.yaml, b.yaml]}]", "compose.override.yaml")
    assert files.load().services["db"].user == "u"


def test_included_files_include_and_extend_in_turn(files: Files) -> None:
    files.write("services: {base: {image: x, build: .}}", "one/two/base.yaml")
    files.write(
        """
        include: [two/base.yaml]
        services:
          db: {extends: {file: two/base.yaml, service: base}}
          cache: {extends: base}
        """,
        "one/db.yaml",
    )
    project = files.load("include: [one/db.yaml]")
    contexts = {one.name: one.build.context for one in project.services.values() if one.build}
    assert contexts == dict.fromkeys(("base", "db", "cache"), f"{files.directory}/one/two")


def test_positions_are_those_of_the_included_file(files: Files) -> None:
    files.write("services:\n  db:\n    image: y\n", "sub/db.yaml")
    project = files.load("include: [sub/db.yaml]")
    assert project.where("services.db.image") == "sub/db.yaml:3:5"


def test_problems_in_included_files_have_their_place_there(files: Files) -> None:
    files.write("services: {db: {image: y, comand: z}}", "sub/db.yaml")
    problem = files.problem("include: [sub/db.yaml]")
    assert (problem.code, problem.where) == ("unknown-key", "sub/db.yaml:1:27")


def test_what_is_included_takes_part_in_the_cache(files: Files) -> None:
    files.write("services: {db: {image: '$I', environment: [E]}}", "sub/db.yaml")
    inputs = files.load("include: [sub/db.yaml]", {"I": "x"}).inputs
    assert {f"{files.directory}/sub/db.yaml", f"{files.directory}/sub/.env"} <= inputs.files.keys()
    assert {"I", "E"} <= inputs.environment.keys()


def test_files_that_include_each_other_are_named(files: Files) -> None:
    files.write("include: [../compose.yaml]", "sub/a.yaml")
    problem = files.problem("include: [sub/a.yaml]\nservices: {web: {image: x}}")
    assert problem.code == "include-cycle"
    assert problem.what.endswith("compose.yaml -> sub/a.yaml -> compose.yaml")
    assert problem.where == "sub/a.yaml:1:11"


def test_a_circle_through_links_is_found(files: Files) -> None:
    (files.directory / "again").symlink_to(".")
    assert files.problem("include: [again/compose.yaml]").code == "include-cycle"


def test_files_that_multiply_are_stopped(files: Files) -> None:
    for number in range(12):
        files.write(f"include: [{number + 1}.yaml, {number + 1}.yaml]", f"{number}.yaml")
    files.write("services: {a: {image: x}}", "12.yaml")
    assert "more than 500 files" in files.problem("include: [0.yaml]").what


@pytest.mark.parametrize(
    ("include", "code", "what"),
    [
        ("db.yaml", "invalid-value", "include: must be a list"),
        ("[no.yaml]", "file-not-found", "no.yaml does not exist"),
        ("[{path: db.yaml, env_file: no.env}]", "file-not-found", "no.env does not exist"),
        ("[{project_directory: .}]", "missing-key", "lacks `path`"),
        ("[{path: db.yaml, x: y}]", "unknown-key", "no key `x` in `include[0]`"),
        ("[{path: 1}]", "invalid-value", "include[0].path: must be"),
        ("[empty.yaml]", "invalid-value", "the project file is empty"),
        ("[bad.yaml]", "yaml-syntax", "not closed"),
        ("[required.yaml]", "required-variable", "`NEEDED` has no value"),
    ],
)
def test_what_cannot_be_included_is_told_with_its_place(
    files: Files, include: str, code: str, what: str
) -> None:
    files.write("services: {db: {image: y}}", "db.yaml")
    files.write("", "empty.yaml")
    files.write("services: [a b: c", "bad.yaml")
    files.write("services: {db: {image: '${NEEDED:?}'}}", "required.yaml")
    problem = files.problem(f"include: {include}\nservices: {{web: {{image: x}}}}")
    assert problem.code == code
    assert what in problem.what
    assert problem.where


def test_several_problems_with_included_files_are_told_together(files: Files) -> None:
    problems = files.problems("include: [a.yaml, b.yaml]\nservices: {web: {image: '${X:?}'}}")
    assert [problem.code for problem in problems] == [
        "required-variable",
        "file-not-found",
        "file-not-found",
    ]
