"""Whether a container can be worked with: why not, where it cannot (engine.md A19.2)."""

from __future__ import annotations

from engine.errors import ContainerProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_REASONS = {
    "paused": ("container-paused", "is paused", "`buoy unpause` lets it go on"),
    "restarting": ("container-restarting", "is restarting", "wait until it runs"),
}


def require_running(name: str, state: dict[str, Any]) -> None:
    """Raise ContainerProblem where its state is another than `running`."""
    status = state["status"]
    if status == "running":
        return
    why = f"it is {status}: `buoy start`, or `buoy logs` for why it ended"
    code, what, hint = _REASONS.get(status, ("container-not-running", "is not running", why))
    raise ContainerProblem(f"container {name} {what}", hint=hint, code=code)
