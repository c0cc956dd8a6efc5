"""Two matrices beside each other, and the list of what may differ, and why."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from tests.reachability.matrix import letters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.reachability.matrix import Matrix

LIST = Path(__file__).with_name("differences.toml")


@dataclass(frozen=True)
class Allowed:
    """One entry of the list."""

    sources: Sequence[str]
    targets: Sequence[str]
    docker: str
    buoy: str
    reason: str

    def explains(self, difference: Difference) -> bool:
        """Whether it is about this one, and the values are those expected."""
        return (
            any(fnmatchcase(difference.source, pattern) for pattern in self.sources)
            and any(fnmatchcase(difference.target, pattern) for pattern in self.targets)
            and fnmatchcase(difference.docker, self.docker)
            and fnmatchcase(difference.buoy, self.buoy)
        )


@dataclass(frozen=True)
class Difference:
    """What one pair of places is on either side."""

    source: str
    target: str
    docker: str
    buoy: str


def allowed() -> list[Allowed]:
    """The entries of the list."""
    return [Allowed(**table) for table in tomllib.loads(LIST.read_text())["difference"]]


def differences(docker: Matrix, buoy: Matrix) -> list[Difference]:
    """All pairs that are not the same; both have the same pairs."""
    return [
        Difference(*pair, letters(docker[pair]), letters(buoy[pair]))
        for pair in buoy
        if docker[pair] != buoy[pair]
    ]
