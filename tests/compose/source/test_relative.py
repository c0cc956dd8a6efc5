"""Which paths are made absolute, and against what (compose-file.md 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from compose.model import Build
    from tests.compose.projects import Files


def built(files: Files, build: str) -> Build:
    found = files.load(f"services: {{web: {{build: {build}}}}}").services["web"].build
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "absolute"),
    [
        ("./app", "/app"),
        ("app", "/app"),
        ("..", "/.."),
        ("{dockerfile: x}", ""),
    ],
)
def test_a_context_is_relative_to_the_project(files: Files, written: str, absolute: str) -> None:
    (files.directory / "app").mkdir()
    expected = (files.directory / absolute.lstrip("/")).resolve()
    assert built(files, written).context == str(expected)


@pytest.mark.parametrize(
    "written",
    ["https://x.test/y.git#main:sub", "git@x.test:y.git", "github.com/x/y", "/absolute"],
)
def test_urls_and_absolute_paths_stay(files: Files, written: str) -> None:
    assert built(files, f"'{written}'").context == written


def test_the_dockerfile_is_relative_to_its_context(files: Files) -> None:
    assert built(files, "{context: app, dockerfile: ../D}").dockerfile == "../D"


def test_further_contexts_and_keys(files: Files) -> None:
    build = (
        files.load(
            """
        services:
          base: {build: .}
          web:
            build:
              context: .
              additional_contexts: [a=./a, s=service:base, i=docker-image://x]
              ssh: [default, k=./key]
        """
        )
        .services["web"]
        .build
    )
    assert build is not None
    assert build.additional_contexts == {
        "a": f"{files.directory}/a",
        "s": "service:base",
        "i": "docker-image://x",
    }
    assert build.bases == ("base",)
    assert build.ssh == {"default": "", "k": f"{files.directory}/key"}


def test_the_home_directory(files: Files) -> None:
    mounts = (
        files.load("services: {web: {image: x, volumes: ['~:/a', '~/b:/b', '~c:/c']}}")
        .services["web"]
        .mounts
    )
    assert [mount.source for mount in mounts] == ["/home/me", "/home/me/b", "/home/me/c"]


def test_all_files_of_the_command_line_start_from_one_directory(files: Files) -> None:
    files.write("services: {web: {image: x, volumes: ['./a:/a']}}", "one/c.yaml")
    files.write("services: {web: {volumes: ['./b:/b']}}", "two/c.yaml")
    mounts = files.load(files=("one/c.yaml", "two/c.yaml")).services["web"].mounts
    sources = [mount.source for mount in mounts]
    assert sources == [f"{files.directory}/one/a", f"{files.directory}/one/b"]


def test_the_device_of_a_volume_that_is_a_directory(files: Files) -> None:
    text = """
    services: {{web: {{image: x, volumes: ['v:/v']}}}}
    volumes: {{v: {{{driver}driver_opts: {{type: none, o: bind, device: ./d}}}}}}
    """
    device = files.load(text.format(driver="driver: local, ")).volumes["v"].driver_opts["device"]
    assert device == f"{files.directory}/d"
    device = files.load(text.format(driver="")).volumes["v"].driver_opts["device"]
    assert device == "./d"


def test_links_of_watched_paths_are_followed(files: Files) -> None:
    (files.directory / "real").mkdir()
    (files.directory / "link").symlink_to("real")
    text = "services: {web: {build: ., develop: {watch: [{path: link, action: rebuild}]}}}"
    (rule,) = files.load(text).services["web"].watch
    assert rule.path == f"{files.directory.resolve()}/real"


def test_a_directory_with_a_colon_in_its_name(files: Files) -> None:
    files.write("services: {web: {image: x, volumes: ['./a:/a:ro']}}", "b:c/compose.yaml")
    (mount,) = files.load(project_directory="b:c").services["web"].mounts
    assert (mount.source, mount.target) == (f"{files.directory}/b:c/a", "/a")


def test_paths_of_windows_are_left_alone(files: Files) -> None:
    text = "services: {web: {image: x, volumes: ['C:\\x:/y']}}"
    (mount,) = files.load(text).services["web"].mounts
    assert (mount.type, mount.source, mount.target) == ("bind", "C:\\x", "/y")


@pytest.mark.parametrize("value", ["1", "true"])
def test_paths_of_windows_are_converted_where_that_is_asked_for(files: Files, value: str) -> None:
    text = """
    services:
      web:
        image: x
        volumes:
          - 'C:\\Users\\x:/x'
          - 'd:/a/../b:/b:ro'
          - {type: bind, source: 'E:\\q', target: /z}
          - './own:/own'
    """
    mounts = files.load(text, {"COMPOSE_CONVERT_WINDOWS_PATHS": value}).services["web"].mounts
    assert [mount.source for mount in mounts] == [
        "/c/Users/x",
        "/d/a/../b",
        "/e/q",
        f"{files.directory}/own",
    ]
    assert files.load(text).services["web"].mounts[0].source == "C:\\Users\\x"
