"""Changing the limits of a container that exists, whether it runs or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.cgroups.controls import LimitRefused
from engine.containers.group import cgroup_of
from engine.containers.limits import limits
from engine.containers.observe import ALIVE, observe_state
from engine.containers.rows import note_event
from engine.containers.spec import load_spec
from engine.containers.statefile import CONFIG_NAME, read_json, write_json
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    import sqlite3

    from engine.containers.containers import Containers
    from engine.containers.spec import Resources


def update(containers: Containers, row: sqlite3.Row, changes: Resources) -> list[tuple[str, str]]:
    """(limit, why) for those that are discarded. The live group first: what it refuses is not put
    on record. Raises ContainerProblem."""
    given = changes.given()
    before = load_spec(row["spec"], name=row["name"]).resources
    wanted = before.replace(**{**_without_conflict(given), **given})
    described = limits(wanted, row["name"])
    discarded = _apply(containers, row, described)
    spec = json.loads(row["spec"])
    spec["resources"] = wanted.plain()
    containers.db.execute(
        "UPDATE containers SET spec = ? WHERE id = ?", (json.dumps(spec), row["id"])
    )
    note_event(containers.db, "update", row["id"], {"name": row["name"]})
    return discarded


def _without_conflict(given: dict[str, Any]) -> dict[str, None]:
    """CPUs and a quota are two words for one limit: the new one replaces the old."""
    if given.get("cpus"):
        return {"cpu_quota_us": None, "cpu_period_us": None}
    if given.get("cpu_quota_us") or given.get("cpu_period_us"):
        return {"cpus": None}
    return {}


def _apply(
    containers: Containers, row: sqlite3.Row, described: dict[str, Any]
) -> list[tuple[str, str]]:
    """To the cgroup, if it runs, and to the launch record for what is started by it again."""
    run_directory = containers.roots.container_run(row["id"])
    state = observe_state(containers.roots, row["id"], row["started_at"])
    config = read_json(f"{run_directory}/{CONFIG_NAME}")
    if state["status"] not in ALIVE or config is None:
        return []
    try:
        discarded = cgroup_of(config["buoy"]).update(described)
    except LimitRefused as error:
        problem = ContainerProblem(f"container {row['name']}: {error}", code="limit-refused")
        problem.setting = error.setting
        raise problem from None
    config["linux"]["resources"].update(described)
    write_json(run_directory, CONFIG_NAME, config)
    return discarded
