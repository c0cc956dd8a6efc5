"""Volumes whose content is elsewhere are let go with the last container that runs with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.containers.observe import ALIVE, observe_state
from engine.containers.rows import volumes_of

if TYPE_CHECKING:
    import sqlite3

    from engine.containers.containers import Containers


def unmount_volumes(containers: Containers, row: sqlite3.Row) -> None:
    """Those of one container that does not run, where no other needs them."""
    elsewhere = {
        found["name"]
        for found in containers.db.execute("SELECT name FROM volumes WHERE options != '{}'")
    }
    going = elsewhere & volumes_of(json.loads(row["spec"]))
    if not going:
        return
    for other in containers.db.execute("SELECT * FROM containers WHERE id != ?", (row["id"],)):
        state = observe_state(containers.roots, other["id"], other["started_at"])
        if state["status"] in ALIVE:
            going -= volumes_of(json.loads(other["spec"]))
    containers.parts.volumes.unmount(going)
