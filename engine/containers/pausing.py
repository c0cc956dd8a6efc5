"""Pausing a container: its monitor freezes its cgroup, and knows of it (engine.md A16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.containers.observe import observe_state
from engine.containers.rows import note_event
from engine.containers.stopping import ask
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    import sqlite3

    from engine.containers.containers import Containers


async def pause(containers: Containers, row: sqlite3.Row) -> None:
    """Raises ContainerProblem where it cannot be."""
    answer = await ask(containers.roots, row["id"], {"do": "pause"})
    if answer is None:
        status = observe_state(containers.roots, row["id"], row["started_at"])["status"]
        answer = {"refused": f"it is {status}"}
    if answer["refused"] is not None:
        raise ContainerProblem(
            f"container {row['name']} cannot be paused: {answer['refused']}",
            code="container-not-running",
        )
    note_event(containers.db, "pause", row["id"], {"name": row["name"]})


async def unpause(containers: Containers, row: sqlite3.Row) -> None:
    """Raises ContainerProblem where it is not paused."""
    answer = await ask(containers.roots, row["id"], {"do": "resume"})
    if answer is None or not answer["resumed"]:
        raise ContainerProblem(
            f"container {row['name']} is not paused", code="container-not-paused"
        )
    note_event(containers.db, "unpause", row["id"], {"name": row["name"]})
