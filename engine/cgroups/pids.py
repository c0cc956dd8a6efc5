"""The pids controller."""

from __future__ import annotations

from engine.cgroups.hierarchy import write_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def limit(directory: str, version: int, pids: dict[str, Any]) -> None:
    """Set `limit`: how many tasks there may be; 0 and below: any number. Same file on v1 and v2."""
    del version
    count = pids["limit"]
    write_value(directory, "pids.max", str(count) if count > 0 else "max")
