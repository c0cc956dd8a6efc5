"""Cleaning up behind monitors that were killed, and behind a host that was restarted."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

from engine.containers.group import find_cgroup
from engine.containers.observe import observe_state
from engine.containers.statefile import LAST_STATE_NAME, STATE_NAME, lock_holder, write_json
from engine.kernel.process import start_time
from engine.state.locks import locked

if TYPE_CHECKING:
    import sqlite3

    from engine.containers.containers import Containers
    from engine.state.paths import Roots

LOCK_NAME = "mend.lock"  # in the run root


def mend(containers: Containers, row: sqlite3.Row | None = None) -> None:
    """Clean up what monitors that were killed have left: processes, cgroups, names, rules.

    row  look at this container alone, before it is started

    What was found without the lock is only a reason to take it: another command may have mended
    the container meanwhile, and started it again. Nobody starts one that has not been mended, so
    what is found lost under the lock stays so.
    """
    wanted = [row] if row is not None else _rows(containers)
    if not any(_lost_state(containers.roots, one) for one in wanted):
        return
    with locked(f"{containers.roots.run_root}/{LOCK_NAME}"):
        found = ((one["id"], _lost_state(containers.roots, one)) for one in wanted)
        lost = [(container_id, state) for container_id, state in found if state]
        for container_id, state in lost:
            _end_leftover(containers.roots, container_id, state)
        if lost:
            containers.parts.networks.mend(_live(containers))


def clean_up(containers: Containers, container_id: str) -> None:
    """After a monitor that was killed before it had said anything."""
    remove_cgroup(containers.roots, container_id)
    containers.parts.networks.mend(_live(containers))


def remove_cgroup(roots: Roots, container_id: str) -> None:
    """End what is in a container's cgroup, and remove it; accepts absence."""
    cgroup = find_cgroup(roots, container_id)
    with contextlib.suppress(FileNotFoundError):
        cgroup.kill()
    cgroup.remove()


def _rows(containers: Containers) -> list[sqlite3.Row]:
    return containers.db.execute("SELECT id, started_at FROM containers").fetchall()


def _lost_state(roots: Roots, row: sqlite3.Row) -> dict[str, Any] | None:
    state = observe_state(roots, row["id"], row["started_at"])
    return state if state.get("lost") else None


def _live(containers: Containers) -> list[str]:
    ids = [row["id"] for row in _rows(containers)]
    return [one for one in ids if lock_holder(containers.roots.container_run(one))]


def _end_leftover(roots: Roots, container_id: str, state: dict[str, Any]) -> None:
    """Init dies with its monitor unless it has shed its parent-death signal: make sure."""
    target = state.get("target") or {}
    pid = target.get("pid")
    if pid and start_time(pid) == target.get("started"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    remove_cgroup(roots, container_id)
    state = {key: value for key, value in state.items() if key not in ("lost", "target")}
    state["was_lost"] = True
    run_directory = roots.container_run(container_id)
    os.makedirs(run_directory, mode=0o700, exist_ok=True)
    write_json(run_directory, STATE_NAME, state)
    with contextlib.suppress(FileNotFoundError):
        write_json(roots.container(container_id), LAST_STATE_NAME, state, durable=True)
