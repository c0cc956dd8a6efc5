"""What two builders made of one Dockerfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.comparison import Difference, differences

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED = {"build": "fails"}


def compared(docker: Mapping[str, str], buoy: Mapping[str, str]) -> list[Difference]:
    """All facts that differ; where one of them has refused, that alone."""
    if REFUSED in (docker, buoy):
        words = ["fails" if facts == REFUSED else "works" for facts in (docker, buoy)]
        return [Difference("build", *words)] if words[0] != words[1] else []
    return differences(docker, buoy)
