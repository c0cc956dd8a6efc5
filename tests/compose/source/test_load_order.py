"""What comes before what when files are loaded (compose-file.md 2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.compose.projects import Files


def test_variables_come_before_the_schema(files: Files) -> None:
    problem = files.problem("services: {web: {image: '${X:?}', unknown: 1}}")
    assert problem.code == "required-variable"


def test_every_document_of_a_file_is_merged_like_a_file(files: Files) -> None:
    project = files.load(
        """
        services: {web: {image: a, ports: ['1:1'], user: u}}
        ---
        services: {web: {ports: ['2:2'], user: !reset null}}
        ---
        name: third
        services: {web: {image: c}}
        """
    )
    web = project.services["web"]
    assert (project.name, web.image, web.user, len(web.ports)) == ("third", "c", None, 2)


def test_anchors_end_with_their_file(files: Files) -> None:
    files.write("x-a: &a {image: x}\n---\nservices: {web: *a}\n")
    assert files.load().services["web"].image == "x"
    files.write("services: {db: *a}\n", "over.yaml")
    assert files.problem(files=("compose.yaml", "over.yaml")).code == "yaml-syntax"


def test_what_is_merged_is_checked_not_each_file(files: Files) -> None:
    files.write("services: {web: {healthcheck: {retries: 2}}}")
    files.write("services: {web: {image: x, depends_on: [db]}, db: {image: y}}", "over.yaml")
    assert set(files.load(files=("compose.yaml", "over.yaml")).services) == {"web", "db"}


def test_a_problem_has_the_place_of_the_file_that_was_merged_last(files: Files) -> None:
    files.write("services: {web: {image: x, user: a}}")
    files.write("services: {web: {user: [b]}}", "over.yaml")
    problem = files.problem(files=("compose.yaml", "over.yaml"))
    assert (problem.code, problem.where) == ("invalid-value", "over.yaml:1:24")


def test_a_service_is_extended_before_it_is_merged_onto_earlier_files(files: Files) -> None:
    files.write("services: {base: {image: x, user: base}, web: {image: y, user: first}}")
    files.write("services: {web: {extends: base, tty: true}}", "over.yaml")
    web = files.load(files=("compose.yaml", "over.yaml")).services["web"]
    assert (web.image, web.user, web.tty) == ("x", "base", True)


def test_version_is_dropped_with_a_warning_and_selects_nothing(files: Files) -> None:
    project = files.load("version: '2'\nservices: {web: {image: x, deploy: {replicas: 2}}}")
    assert project.services["web"].scale == 2
    assert [notice.code for notice in project.warnings] == ["obsolete-key"]


def test_options_of_a_mount_of_another_type_have_no_effect(files: Files) -> None:
    project = files.load(
        "services: {web: {image: x, volumes: [{type: tmpfs, target: /x, bind: {selinux: z}}]}}"
    )
    (notice,) = project.warnings
    assert "`services.web.volumes[0].bind` is not for a mount of type `tmpfs`" in notice.what
