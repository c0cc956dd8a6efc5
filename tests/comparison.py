"""Facts of two engines beside each other, and the list of what may differ, and why."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MISSING = "(none)"  # there is no such fact on this side


@dataclass(frozen=True)
class Allowed:
    """One entry of the list. Patterns are fnmatch's."""

    facts: tuple[str, ...]
    docker: str
    buoy: str
    reason: str

    def explains(self, difference: Difference) -> bool:
        """Whether it is about this one, and the values are those expected."""
        return (
            any(fnmatchcase(difference.fact, pattern) for pattern in self.facts)
            and fnmatchcase(difference.docker, self.docker)
            and fnmatchcase(difference.buoy, self.buoy)
        )


@dataclass(frozen=True)
class Difference:
    """What one fact is on either side."""

    fact: str
    docker: str
    buoy: str

    def __str__(self) -> str:
        return f"{self.fact}: docker {self.docker!r}, buoy {self.buoy!r}"


def allowed(file: Path, variant: str = "") -> list[Allowed]:
    """The entries of a list that hold for a variant: those with a pattern for it `in` theirs, or
    without any, and none in `not_in`. All of them must be needed."""
    tables = tomllib.loads(file.read_text())["difference"]
    return [_entry(table) for table in tables if _holds(table, variant)]


def _holds(table: Mapping[str, Any], variant: str) -> bool:
    return _matches(variant, table.get("in", ["*"])) and not _matches(
        variant, table.get("not_in", [])
    )


def _matches(variant: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(variant, pattern) for pattern in patterns)


def _entry(table: Mapping[str, Any]) -> Allowed:
    values = table.get("docker", "*"), table.get("buoy", "*")
    return Allowed(tuple(table["facts"]), *values, table["reason"])


def differences(docker: Mapping[str, str], buoy: Mapping[str, str]) -> list[Difference]:
    """All facts that are not the same; the order is that of the probe."""
    names = dict.fromkeys([*docker, *buoy])
    pairs = ((name, docker.get(name, MISSING), buoy.get(name, MISSING)) for name in names)
    return [Difference(*each) for each in pairs if each[1] != each[2]]


def lines(found: Iterable[object]) -> str:
    """For the message of a test."""
    return "".join(f"\n  {each}" for each in found)
