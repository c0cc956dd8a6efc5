"""Secrets and configs in the model (compose-file.md 10.3, 10.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.model import FileReference, FileSource
from compose.model.plain import plain_project

if TYPE_CHECKING:
    from tests.compose.projects import Files


def test_sources_are_named_after_the_project_and_files_are_absolute(files: Files) -> None:
    project = files.load(
        """
        services: {web: {image: x, secrets: [s, v], configs: [c, named]}}
        secrets: {s: {file: ./s.txt}, v: {environment: V}}
        configs: {c: {content: "a $B"}, named: {file: ~/c, name: other, labels: [a=b]}}
        """,
        {"V": "value", "B": "b"},
    )
    assert project.secrets == {
        "s": FileSource(key="s", name="shop_s", file=f"{files.directory}/s.txt"),
        "v": FileSource(key="v", name="shop_v", environment="V", content="value"),
    }
    assert project.configs == {
        "c": FileSource(key="c", name="shop_c", content="a b"),
        "named": FileSource(key="named", name="other", file="/home/me/c", labels={"a": "b"}),
    }


def test_where_they_are_mounted(files: Files) -> None:
    web = files.load(
        """
        services:
          web:
            image: x
            secrets:
              - s
              - {source: s, target: relative, uid: "5", gid: "6", mode: 0440}
              - {source: s, target: /absolute, mode: "0400"}
            configs: [c, {source: c, target: /etc/c}]
        secrets: {s: {file: s}}
        configs: {c: {file: c}}
        """
    ).services["web"]
    assert web.secrets == (
        FileReference(source="s", target="/run/secrets/s"),
        FileReference(source="s", target="/run/secrets/relative", uid=5, gid=6, mode=0o440),
        FileReference(source="s", target="/absolute", mode=0o400),
    )
    assert [one.target for one in web.configs] == ["/c", "/etc/c"]


def test_the_later_of_two_on_one_target_counts(files: Files) -> None:
    text = "services: {web: {image: x, secrets: [%s]}}\nsecrets: {a: {file: a}, b: {file: b}}"
    files.write(text % "{source: a, target: t}")
    files.write("services: {web: {secrets: [{source: b, target: t}]}}", "compose.override.yaml")
    assert [one.source for one in files.load().services["web"].secrets] == ["b"]


def test_a_secret_of_an_included_project_takes_its_variable_from_there(files: Files) -> None:
    files.write("TOKEN=inner\n", "sub/.env")
    files.write(
        "services: {db: {image: y, secrets: [t]}}\nsecrets: {t: {environment: TOKEN}}",
        "sub/db.yaml",
    )
    assert files.load("include: [sub/db.yaml]").secrets["t"].content == "inner"


def test_values_of_secrets_are_never_printed(files: Files) -> None:
    project = files.load(
        """
        services: {web: {image: x, secrets: [s], configs: [c, d]}}
        secrets: {s: {environment: V}}
        configs: {c: {environment: V}, d: {content: shown}}
        """,
        {"V": "hidden"},
    )
    plain = plain_project(project)
    assert plain["secrets"] == {"s": {"name": "shop_s", "environment": "V"}}
    assert plain["configs"] == {
        "c": {"name": "shop_c", "environment": "V"},
        "d": {"name": "shop_d", "content": "shown"},
    }


def test_what_is_in_them_is_part_of_a_service_digest(files: Files) -> None:
    text = (
        "services: {web: {image: x, secrets: [s]}, api: {image: x}}\nsecrets: {s: {environment: V}}"
    )
    one, two = files.load(text, {"V": "1"}).services, files.load(text, {"V": "2"}).services
    assert one["web"].digest != two["web"].digest
    assert one["api"].digest == two["api"].digest


def test_those_that_nobody_uses_are_left_out(files: Files) -> None:
    project = files.load("services: {web: {image: x}}\nsecrets: {s: {file: s}}")
    assert project.secrets == {}


@pytest.mark.parametrize(
    ("section", "code", "what"),
    [
        ("secrets: {s: {}}", "missing-key", "secrets.s has none of `file` and `environment`"),
        ("configs: {s: {}}", "missing-key", "none of `file`, `environment` and `content`"),
        ("secrets: {s: {file: a, environment: B}}", "conflicting-keys", "exclude each other"),
        ("configs: {s: {content: a, file: b}}", "conflicting-keys", "exclude each other"),
        ("secrets: {s: {content: a}}", "unknown-key", "`content`"),
    ],
)
def test_exactly_one_key_says_what_is_in_them(
    files: Files, section: str, code: str, what: str
) -> None:
    kind = section.partition(":")[0]
    problems = files.problems(f"services: {{web: {{image: x, {kind}: [s]}}}}\n{section}")
    assert problems[0].code == code
    assert what in problems[0].what


def test_undefined_ones_are_named_with_the_nearest(files: Files) -> None:
    problems = files.problems(
        """
        services: {web: {build: {context: ., secrets: [tokn]}, secrets: [tokn], configs: [cnf]}}
        secrets: {token: {file: t}}
        configs: {conf: {file: c}}
        """
    )
    assert [(problem.code, problem.where) for problem in problems] == [
        ("unknown-config", "compose.yaml:1:83"),
        ("unknown-secret", "compose.yaml:1:66"),
        ("unknown-secret", "compose.yaml:1:48"),
    ]
    assert problems[0].hint == "did you mean `conf`?"


def test_owners_of_files_of_the_host_have_no_effect_and_that_is_said(files: Files) -> None:
    project = files.load(
        """
        services: {web: {image: x, secrets: [{source: f, mode: 0400}, {source: v, mode: 0400}]}}
        secrets: {f: {file: f}, v: {environment: HOME}}
        """
    )
    (notice,) = project.warnings
    assert (notice.code, notice.where) == ("no-effect", "compose.yaml:1:38")
