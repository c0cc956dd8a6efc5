"""Which files, which directory, which name, which environment (compose-file.md 2, 12.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.errors import FileMissing, InvalidProjectName, NoProjectFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.compose.projects import Files

WEB = "services: {web: {image: x, labels: {v: '${V:-none}'}}}\n"


def label(files: Files, environment: Mapping[str, str] = {}, **options: object) -> str:
    return files.load(None, environment, **options).services["web"].labels["v"]


@pytest.mark.parametrize(
    "name", ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"]
)
def test_default_names_are_found(files: Files, name: str) -> None:
    files.write(WEB, name)
    assert files.load().files == (str(files.directory / name),)


def test_the_first_of_several_names_wins_with_a_warning(files: Files) -> None:
    files.write(WEB, "docker-compose.yml")
    files.write(WEB, "compose.yaml")
    project = files.load()
    assert project.files == (str(files.directory / "compose.yaml"),)
    assert [notice.code for notice in project.warnings] == ["several-project-files"]


def test_the_search_goes_upward_and_takes_that_directory(files: Files) -> None:
    files.write(WEB)
    (files.directory / "a/b").mkdir(parents=True)
    project = files.load(working_directory=str(files.directory / "a/b"))
    assert project.directory == str(files.directory)
    assert project.name == "shop"


def test_an_override_file_is_added_by_the_search_only(files: Files) -> None:
    files.write(WEB)
    files.write("services: {web: {image: y}}", "compose.override.yml")
    assert files.load().services["web"].image == "y"
    assert files.load(files=("compose.yaml",)).services["web"].image == "x"


def test_no_file_is_a_problem_that_names_what_is_looked_for(files: Files) -> None:
    problem = files.problem()
    assert isinstance(problem, NoProjectFile)
    assert "docker-compose.yml" in str(problem.hint)


def test_a_named_file_must_exist(files: Files) -> None:
    problem = files.problem(files=("nope.yaml",))
    assert isinstance(problem, FileMissing)
    assert "does not exist" in problem.what


def test_a_link_to_a_directory_gives_its_own_name_with_a_warning(files: Files) -> None:
    files.write(WEB)
    link = files.directory.parent / "market"
    link.symlink_to(files.directory)
    project = files.load(working_directory=str(link))
    assert project.name == "market"
    assert [notice.code for notice in project.warnings] == ["linked-directory"]


def test_compose_file_lists_files(files: Files) -> None:
    files.write(WEB, "a.yaml")
    files.write("services: {web: {image: y}}", "b.yaml")
    environment = {"COMPOSE_FILE": "a.yaml:b.yaml"}
    assert files.load(None, environment).services["web"].image == "y"
    environment = {"COMPOSE_FILE": "a.yaml,b.yaml", "COMPOSE_PATH_SEPARATOR": ","}
    assert files.load(None, environment).services["web"].image == "y"


def test_compose_file_may_come_from_dotenv(files: Files) -> None:
    files.write(WEB, "odd.yaml")
    files.write("COMPOSE_FILE=odd.yaml\n", ".env")
    assert files.load().files == (str(files.directory / "odd.yaml"),)


def test_paths_are_relative_to_the_first_files_directory(files: Files) -> None:
    files.write("services: {web: {image: x, volumes: ['./a:/a']}}", "one/c.yaml")
    files.write("services: {web: {volumes: ['./b:/b']}}", "two/c.yaml")
    mounts = files.load(files=("one/c.yaml", "two/c.yaml")).services["web"].mounts
    assert [m.source for m in mounts] == [f"{files.directory}/one/a", f"{files.directory}/one/b"]


def test_project_directory_moves_paths_and_name(files: Files) -> None:
    files.write("services: {web: {image: x, volumes: ['./a:/a', '~/h:/h']}}")
    project = files.load(files=("compose.yaml",), project_directory="Else Where")
    assert project.name == "elsewhere"
    sources = [mount.source for mount in project.services["web"].mounts]
    assert sources == [f"{files.directory}/Else Where/a", "/home/me/h"]


def test_dotenv_feeds_interpolation_below_the_process(files: Files) -> None:
    files.write(WEB)
    files.write("V=file\n", ".env")
    assert label(files) == "file"
    assert label(files, {"V": "process"}) == "process"
    assert label(files, {"COMPOSE_DISABLE_ENV_FILE": "true"}) == "none"


def test_env_files_of_the_command_line_replace_dotenv_and_later_ones_win(files: Files) -> None:
    files.write(WEB)
    files.write("V=dotenv\n", ".env")
    files.write("V=one\n", "one.env")
    files.write("V=two\n", "two.env")
    assert label(files, env_files=("one.env", "two.env")) == "two"
    assert label(files, {"COMPOSE_ENV_FILES": "two.env,one.env"}) == "one"
    assert isinstance(files.problem(env_files=("nope.env",)), FileMissing)


def test_the_name_comes_from_p_then_variable_then_file_then_directory(files: Files) -> None:
    files.write(WEB)
    assert files.load().name == "shop"
    files.write(f"name: My ${{N:-App}}\n{WEB}")
    assert files.load().name == "myapp"
    environment = {"COMPOSE_PROJECT_NAME": "fromenv"}
    assert files.load(None, environment).name == "fromenv"
    assert files.load(None, environment, project_name="given").name == "given"


def test_the_name_is_visible_to_variables(files: Files) -> None:
    name = "COMPOSE_PROJECT_NAME"
    files.write(f"services: {{web: {{image: '${{{name}}}-x', environment: [{name}]}}}}")
    web = files.load(None, {name: "other"}, project_name="p").services["web"]
    assert web.image == "p-x"
    assert web.environment == {name: "p"}


def test_a_given_name_is_not_changed(files: Files) -> None:
    files.write(WEB)
    problem = files.problem(project_name="My App")
    assert isinstance(problem, InvalidProjectName)
    assert "`myapp`" in str(problem.hint)


def test_a_name_of_nothing_is_refused(files: Files) -> None:
    assert isinstance(files.problem(f"name: '---'\n{WEB}"), InvalidProjectName)


def test_the_env_file_of_the_project_adds_to_that_of_the_working_directory(files: Files) -> None:
    files.write("services: {web: {image: x, labels: {v: '$V', w: '$W'}}}", "sub/compose.yaml")
    files.write("V=here\nCOMPOSE_FILE=sub/compose.yaml\n", ".env")
    files.write("V=there\nW=there\n", "sub/.env")
    assert files.load().services["web"].labels == {"v": "here", "w": "there"}


@pytest.mark.parametrize("given_by", ["--env-file", "include", "env_file"])
def test_a_file_s_own_variables_go_above_those_of_files_before_it(
    files: Files, given_by: str
) -> None:
    files.write("A=1\nX=1\n", "one.env")
    files.write("A=2\nB=$A$X\nX=2\n", "two.env")
    both = ("one.env", "two.env")
    files.write("services: {web: {image: x, environment: [B]}}", "inner.yaml")
    if given_by == "--env-file":
        project = files.load(files=("inner.yaml",), env_files=both)
    elif given_by == "include":
        project = files.load("include: [{path: inner.yaml, env_file: [one.env, two.env]}]")
    else:
        project = files.load("services: {web: {image: x, env_file: [one.env, two.env]}}")
    assert project.services["web"].environment["B"] == "21"
