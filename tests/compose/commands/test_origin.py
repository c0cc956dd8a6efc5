"""Where values come from: `buoy config --origin` and `buoy env`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from compose.source.yaml import parse_documents
from compose.ui.tables import format_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.compose.projects import Files

    Buoy = Callable[..., str]


def write(files: Files) -> None:
    files.write(
        """
        services:
          web:
            image: nginx:1
            env_file: [w.env, x.env]
            environment: {A: a, B: , C: , D: }
            volumes: ["./x:/x", "data:/d"]
            scale: 1
          base: {image: y, command: one}
          more: {extends: base, command: two, deploy: {replicas: 3}}
        volumes: {data: }
        """
    )
    files.write(
        """
        services:
          web: {image: other, environment: {A: !override b}, volumes: ["./y:/x:ro"]}
        """,
        "compose.override.yaml",
    )
    files.write("A=f\nW=1\nW=2\n", "w.env")
    files.write("# comment\nW=3\n", "x.env")
    files.write("C=from-env-file\n", ".env")


@pytest.fixture
def comments(files: Files, buoy: Buoy) -> dict[str, str]:
    write(files)
    lines = [line.partition("  # ") for line in buoy("config", "--origin").splitlines()]
    return {value.strip().removeprefix("- "): comment for value, _, comment in lines}


def test_a_value_has_its_place(comments: dict[str, str]) -> None:
    assert comments["source: data"] == "compose.yaml:6:25"
    assert comments["C: from-env-file"] == "compose.yaml:5:30 from .env:1:1"


def test_what_no_file_says_is_a_default(comments: dict[str, str]) -> None:
    assert comments["name: shop_data"] == "default"


def test_a_value_names_what_it_overrode(comments: dict[str, str]) -> None:
    assert (
        comments["image: other"]
        == "compose.override.yaml:2:9, instead of nginx:1 (compose.yaml:3:12)"
    )
    assert comments["A: b"] == (
        "compose.override.yaml:2:37, instead of a (compose.yaml:5:22), f (w.env:1:1)"
    )
    assert comments['W: "3"'] == "x.env:2:1, instead of 2 (w.env:3:1), 1 (w.env:2:1)"


def test_an_item_of_a_list_names_what_it_overrode(comments: dict[str, str]) -> None:
    assert comments["type: bind"].startswith(
        'compose.override.yaml:2:64, instead of {"type": "bind"'
    )
    assert comments["type: bind"].endswith("(compose.yaml:6:15)")


def test_a_service_names_what_it_overrode_of_the_one_it_extends(comments: dict[str, str]) -> None:
    assert "instead of one (compose.yaml:8:29)" in comments["two"]


def test_a_value_that_has_another_name_in_the_file_is_found(comments: dict[str, str]) -> None:
    assert comments.get("replicas: 3", comments.get("scale: 3")) == "compose.yaml:9:48"


def test_without_comments_it_is_what_config_prints(files: Files, buoy: Buoy) -> None:
    write(files)
    plain = buoy("config")
    assert parse_documents(buoy("config", "--origin"), "f") == parse_documents(plain, "f")


def test_as_json_it_is_a_list_of_values(files: Files, buoy: Buoy) -> None:
    write(files)
    found = json.loads(buoy("config", "--origin", "--format", "json"))
    (image,) = [one for one in found if one["path"] == "services.web.image"]
    assert image == {
        "path": "services.web.image",
        "value": "other",
        "where": "compose.override.yaml:2:9",
        "insteadOf": [{"value": "nginx:1", "where": "compose.yaml:3:12"}],
    }


def test_env_shows_each_variable_with_its_source_and_the_losers(
    files: Files, buoy: Buoy, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files)
    monkeypatch.setenv("B", "from shell")
    assert (
        buoy("env", "web")
        == format_table(
            ("NAME", "VALUE", "FROM", "INSTEAD OF"),
            [
                ("A", "b", "compose.override.yaml:2:37", "a (compose.yaml:5:22)"),
                ("", "", "", "f (w.env:1:1)"),
                ("B", "from shell", "shell, passed on by compose.yaml:5:25", ""),
                ("C", "from-env-file", ".env:1:1, passed on by compose.yaml:5:30", ""),
                ("D", "(not set)", "nowhere, passed on by compose.yaml:5:35", ""),
                ("W", "3", "x.env:2:1", "2 (w.env:3:1)"),
                ("", "", "", "1 (w.env:2:1)"),
            ],
        )
        + "\n"
    )


def test_env_as_json(files: Files, buoy: Buoy) -> None:
    write(files)
    fields = {one["Name"]: one for one in json.loads(buoy("env", "web", "--format", "json"))}
    assert fields["C"] == {
        "Name": "C",
        "Value": "from-env-file",
        "From": ".env:1:1",
        "PassedBy": "compose.yaml:5:30",
        "InsteadOf": [],
    }
    assert fields["D"]["Value"] is None


def test_env_of_a_service_that_is_not_there(files: Files, buoy: Buoy) -> None:
    write(files)
    assert "did you mean `web`?" in buoy("env", "wbe", code=1)


def test_a_variable_that_an_included_file_passes_on_has_the_origin_it_has_there(
    files: Files, buoy: Buoy, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write("include: [sub/db.yaml]\nservices: {web: {image: x, environment: [A]}}")
    files.write("services: {db: {image: y, environment: [A, B, SHELL_V, N]}}", "sub/db.yaml")
    files.write("A=inner\nB=inner\n", "sub/.env")
    files.write("A=outer\n", ".env")
    monkeypatch.setenv("SHELL_V", "s")
    found = {one["Name"]: one for one in json.loads(buoy("env", "db", "--format", "json"))}
    shown = {name: (one["Value"], one["From"]) for name, one in found.items()}
    assert shown == {
        "A": ("outer", ".env:1:1"),
        "B": ("inner", "sub/.env:2:1"),
        "SHELL_V": ("s", "shell"),
        "N": (None, "nowhere"),
    }
    origins = {
        one["path"]: one["where"]
        for one in json.loads(buoy("config", "--origin", "--format", "json"))
    }
    assert origins["services.db.environment.B"] == "sub/db.yaml:1:44 from sub/.env:2:1"
