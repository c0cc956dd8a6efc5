"""Facts of two containers beside each other, and the list of what may differ, and why."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.kernel.syscalls import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MISSING = "(none)"  # there is no such fact on this side
LIST = Path(__file__).with_name("differences.toml")
NAMESPACE = re.compile(r"(\w+):\[(\d+)\]")


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


def allowed(variant: str) -> list[Allowed]:
    """The entries that hold for a variant: all of them must be needed."""
    tables = tomllib.loads(LIST.read_text())["difference"]
    return [_entry(table) for table in tables if _holds(table, variant)]


def _holds(table: Mapping[str, Any], variant: str) -> bool:
    return variant in table.get("in", [variant]) and variant not in table.get("not_in", [])


def _entry(table: Mapping[str, Any]) -> Allowed:
    values = table.get("docker", "*"), table.get("buoy", "*")
    return Allowed(tuple(table["facts"]), *values, table["reason"])


def differences(docker: Mapping[str, str], buoy: Mapping[str, str]) -> list[Difference]:
    """All facts that are not the same; the order is that of the probe."""
    names = dict.fromkeys([*docker, *buoy])
    pairs = ((name, docker.get(name, MISSING), buoy.get(name, MISSING)) for name in names)
    return [Difference(*each) for each in pairs if each[1] != each[2]]


def normalised(facts: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """With words for what is another in each container, and names for system calls.

    names  text -> the word that is put for it: ids, directories
    """
    calls = {arch: {v: k for k, v in numbers(arch).items()} for arch in ("x86_64", "i386")}
    return {_fact(name, calls): _value(value, names) for name, value in facts.items()}


def _fact(name: str, calls: Mapping[str, Mapping[int, str]]) -> str:
    words = name.split(" ")
    if words[0] == "call" and words[-1].isdigit() and words[1] != "x32":
        table = calls["i386" if words[1] == "i386" else "x86_64"]
        words[-1] = table.get(int(words[-1]), words[-1])
    return " ".join(words)


def _value(value: str, names: Mapping[str, str]) -> str:
    for text, word in names.items():
        value = value.replace(text, word)
    return NAMESPACE.sub(_namespace, value)


def _namespace(found: re.Match[str]) -> str:
    kind = found[1]
    return "the host's" if Path(f"/proc/self/ns/{kind}").readlink().name == found[0] else "its own"


def lines(found: Iterable[object]) -> str:
    """For the message of a test."""
    return "".join(f"\n  {each}" for each in found)
