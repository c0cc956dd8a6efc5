"""The pids controller."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.cgroups.controls import Controls


def limit(controls: Controls, pids: dict[str, Any]) -> None:
    """Set `limit`: how many tasks there may be; 0 and below: any number. Same file on v1 and v2."""
    count = pids["limit"]
    controls.put("pids.limit", count if count > 0 else "max", "pids.max")
