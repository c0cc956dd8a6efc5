"""`x-buoy: {publish: ...}` and --loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from compose.model import Project
    from tests.compose.projects import Files


def load(
    files: Files, top: str, own: str, ports: str = "['80:80']", *, loopback: bool = False
) -> Project:
    web = f"  web:\n    image: x\n    ports: {ports}\n    {own}\n"
    return files.load(f"{top}\nservices:\n{web}  db: {{image: y}}\n", loopback=loopback)


LOOPBACK, WRITTEN = "x-buoy: {publish: loopback}", "x-buoy: {publish: written}"


@pytest.mark.parametrize(
    ("top", "own", "option", "wanted"),
    [
        ("", "", False, False),
        (LOOPBACK, "", False, True),
        ("", LOOPBACK, False, True),
        (LOOPBACK, WRITTEN, False, False),
        (LOOPBACK, WRITTEN, True, True),
        ("", "", True, True),
        ("x-buoy: {}", "", False, False),
    ],
)
def test_the_service_goes_before_the_project_and_the_command_line_before_both(
    files: Files, top: str, own: str, option: bool, wanted: bool
) -> None:
    assert load(files, top, own, loopback=option).services["web"].loopback is wanted


def test_it_counts_for_services_with_ports_alone(files: Files) -> None:
    plain, bound = load(files, "", ""), load(files, LOOPBACK, "")
    assert plain.services["web"].digest != bound.services["web"].digest
    assert plain.services["db"].digest == bound.services["db"].digest
    assert bound.extensions == {"x-buoy": {"publish": "loopback"}}


def test_what_it_overrides_and_cannot_do_is_said(files: Files) -> None:
    ports = "['192.168.1.5:80:80', '127.0.0.1:81:81', '82:82']"
    assert [notice.what for notice in load(files, LOOPBACK, "", ports).warnings] == [
        "`services.web.ports[0]`: published for this host alone, not on 192.168.1.5"
    ]
    host = load(files, LOOPBACK, "network_mode: host", "[]")
    assert "`web` is on the host's network" in host.warnings[0].what


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("x-buoy: loopback", "x-buoy: must be a mapping, not the string `loopback`"),
        ("x-buoy: {publish: all}", "x-buoy.publish: `all` is not `loopback` or `written`"),
        ("x-buoy: {publsh: loopback}", "there is no key `publsh` in `x-buoy`"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    files: Files, written: str, what: str
) -> None:
    text = f"{written}\nservices: {{web: {{image: x}}}}\n"
    (problem,) = files.problems(text)
    assert (str(problem), str(problem.where).rpartition("/")[2][:14]) == (what, "compose.yaml:1")


@pytest.mark.parametrize("mode", ["host", "none"])
def test_ports_without_a_network_of_their_own_are_told(files: Files, mode: str) -> None:
    (notice,) = load(files, "", f"network_mode: {mode}").warnings
    expected = f"published ports are discarded when using {mode} network mode"
    assert notice.what == f"`ports` of `web`: {expected}"
