"""After a restart of the host: the containers that their restart policies bring back.

There is no process of ours that outlives the host: somebody has to ask, a unit of the host's init
for instance. The decision is the one Docker's daemon takes when it starts (engine.md C5.5).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.containers.observe import observe_state
from engine.containers.spec import load_spec
from engine.containers.statefile import STATE_NAME

if TYPE_CHECKING:
    import sqlite3

    from engine.containers.containers import Containers
    from engine.containers.spec import RestartPolicy
    from engine.state.paths import Roots


def to_resume(containers: Containers) -> list[str]:
    """Ids of the containers to start, in the order in which they were created.

    Those that the host, or whoever killed their monitor, has ended; and those that have not been
    touched since the host was started.
    """
    rows = containers.db.execute(
        "SELECT * FROM containers WHERE started_at IS NOT NULL ORDER BY created_at, name"
    ).fetchall()
    return [row["id"] for row in rows if _is_wanted(containers.roots, row)]


def _is_wanted(roots: Roots, row: sqlite3.Row) -> bool:
    state = observe_state(roots, row["id"], row["started_at"])
    untouched = not os.path.exists(f"{roots.container_run(row['id'])}/{STATE_NAME}")
    if state["status"] != "exited" or not (untouched or state.get("lost") or state.get("was_lost")):
        return False
    stopped = bool(row["manually_stopped"])
    policy = load_spec(row["spec"], name=row["name"]).restart
    return (untouched or not stopped) and _decide(policy, state, stopped=stopped)


def _decide(policy: RestartPolicy, state: dict[str, Any], *, stopped: bool) -> bool:
    """`always` counts for one that was stopped by hand, too."""
    if policy.name == "on-failure":
        left = not policy.max_attempts or state.get("restart_count", 0) < policy.max_attempts
        return bool(state.get("exit_code")) and left
    return policy.name == "always" or (policy.name == "unless-stopped" and not stopped)
