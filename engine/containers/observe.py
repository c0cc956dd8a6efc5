"""How containers are: their records beside what their monitors and the kernel say."""

from __future__ import annotations

import json

from engine.containers.observed import Attachment, Container, Plugged, PublishedPort
from engine.containers.spec import Mount, PlugSpec
from engine.containers.statefile import LAST_STATE_NAME, STATE_NAME, lock_holder, read_json
from engine.kernel.boot import boot_id

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from typing import Any

    from engine.state.paths import Roots

KILLED = 137  # the kernel kills init with its monitor
UNKNOWN = 255
_HOST_RESTARTED = "the host was restarted while it ran"
ALIVE = ("running", "restarting", "paused")


def observe_container(roots: Roots, row: sqlite3.Row) -> Container:
    """One container, from its row in `containers`."""
    state = observe_state(roots, row["id"], row["started_at"])
    spec = json.loads(row["spec"])
    health, alive = state.get("health"), state["status"] in ALIVE
    return Container(
        id=row["id"],
        name=row["name"],
        image_id=row["image_id"],
        reference=spec["reference"] or spec["image"],
        labels=json.loads(row["labels"]),
        created_at=row["created_at"],
        status=state["status"],
        command=tuple(state.get("command", ())),
        pid=state.get("pid"),
        exit_code=state.get("exit_code"),
        previous_exit_code=state.get("previous_exit_code"),
        started_at=state.get("started_at"),
        finished_at=state.get("finished_at"),
        health=health["status"] if health and state["status"] == "running" else None,
        restart_count=state.get("restart_count", 0),
        oom_killed=state.get("oom_killed", False),
        error=state.get("error"),
        ports=tuple(PublishedPort(**port) for port in state.get("ports", ()) if alive),
        exposed=tuple((port, protocol) for port, protocol in state.get("exposed", ()) if alive),
        attachments=tuple(map(_attachment, state.get("attachments", ()))),
        plugged=tuple(_plugged(roots, row["id"], one) for one in spec.get("plugs", ())),
        mounts=tuple(Mount(**_without_lists(mount)) for mount in spec["mounts"]),
        log_driver=spec["log"].get("driver", "cri"),
        discarded=tuple((setting, why) for setting, why in state.get("discarded", ())),
    )


def observe_state(roots: Roots, container_id: str, started_at: float | None) -> dict[str, Any]:
    """The state of a container, set right where its monitor could not.

    A state that says `running` with nobody holding the lock is of a monitor that was killed; no
    state at all, of a container that was started, is of one from before a reboot.
    """
    run_directory = roots.container_run(container_id)
    state = read_json(f"{run_directory}/{STATE_NAME}")
    if state is not None:
        if state["status"] in ALIVE and lock_holder(run_directory) is None:
            # read again: a monitor that ended meanwhile has written so before it let go of the lock
            state = read_json(f"{run_directory}/{STATE_NAME}") or state
            if state["status"] in ALIVE:
                if state.get("boot_id") not in (None, boot_id()):
                    return _lost(state, UNKNOWN, _HOST_RESTARTED)
                return _lost(state, KILLED, state.get("error") or "its monitor was killed")
        return state
    if started_at is None:
        return {"status": "created"}
    last = read_json(f"{roots.container(container_id)}/{LAST_STATE_NAME}")
    if last is not None and (last.get("finished_at") or 0) >= started_at:
        return last
    if lock_holder(run_directory) is not None:
        return {"status": "created"}  # about to run: its monitor has not written yet
    return _lost(last or {}, UNKNOWN, _HOST_RESTARTED)


def _lost(state: dict[str, Any], exit_code: int, why: str) -> dict[str, Any]:
    return {
        **state,
        "status": "exited",
        "exit_code": exit_code,
        "error": why,
        "pid": None,
        "ports": [],
        "attachments": [],
        "lost": True,
    }


def _without_lists(mount: dict[str, Any]) -> dict[str, Any]:
    options, lowers = tuple(mount["options"]), tuple(mount.get("lowers", ()))
    return {**mount, "options": options, "lowers": lowers}


def _plugged(roots: Roots, container_id: str, plug: dict[str, Any]) -> Plugged:
    from engine.network.dhcp.lease import read_lease

    lease = read_lease(roots.container_run(container_id), plug["interface"])
    return Plugged(
        interface=plug["interface"],
        device=PlugSpec(**plug).device,
        addresses=(*plug["addresses"], *((lease.address,) if lease else ())),
        gateways=(*plug["gateways"], *((lease.gateway,) if lease and lease.gateway else ())),
        mac_address=plug["mac_address"],
        dhcp=plug["dhcp"],
    )


def _attachment(found: dict[str, Any]) -> Attachment:
    lists = {name: tuple(found[name]) for name in ("addresses", "gateways")}
    return Attachment(**{**found, **lists})
