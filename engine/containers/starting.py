"""Starting a container: its launch record, its files, and what went wrong."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from engine.containers.availability import require_running
from engine.containers.files import place_files, require_files
from engine.containers.guests import network_owner, with_owners_name
from engine.containers.mending import clean_up, mend
from engine.containers.modes import find_donors
from engine.containers.mounts import IMAGE_MOUNTS
from engine.containers.observe import ALIVE
from engine.containers.own_files import write_own_files
from engine.containers.record import EMPTY_LOWER, Surroundings, build_record
from engine.containers.rows import note_event
from engine.containers.spec import ContainerSpec, load_spec
from engine.containers.statefile import (
    CONFIG_NAME,
    STATE_NAME,
    lock_holder,
    read_json,
    write_json,
)
from engine.containers.stopping import end_of_monitor
from engine.containers.watching import Changes
from engine.errors import ContainerProblem
from engine.kernel.boot import boot_id
from engine.state.paths import ensure_directory

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from engine.containers.containers import Containers
    from engine.containers.exec import ExecSpec, Output
    from engine.containers.streams.session import Client
    from engine.state.paths import Roots

_SHOWN_PORTS = 10  # of a range that is taken


async def start(
    containers: Containers,
    row: sqlite3.Row,
    client: Client | None = None,
    secrets: Mapping[str, str] = {},
) -> None:
    """Launch one container by the stage; a running one is left alone. Raises ContainerProblem.

    client   who is attached before its program begins
    secrets  further variables, that only its volatile directory is to have
    """
    async with containers.turn(row["id"]) as latest:
        await _start(containers, latest, client, secrets)


async def _start(
    containers: Containers, row: sqlite3.Row, client: Client | None, secrets: Mapping[str, str]
) -> None:
    roots, parts = containers.roots, containers.parts
    container_id = row["id"]
    run_directory = roots.container_run(container_id)
    if await is_started(containers, container_id):
        _refuse_paused(containers, row)
        return
    mend(containers, row)
    spec = load_spec(row["spec"], name=row["name"])
    owner = network_owner(containers, container_id, spec)
    donors = find_donors(containers, spec)
    if owner != container_id:
        spec = with_owners_name(containers, owner, spec)
    network = _attach(containers, container_id, spec)
    image = None if spec.lowers else parts.images.get(spec.image)
    around = surroundings(containers, spec, network, donors, owner)
    record = build_record(roots, container_id, spec, image, around)
    record["process"]["env"] += [f"{name}={value}" for name, value in secrets.items()]
    ours = record["buoy"]
    ours["argv"], ours["attachments"] = record["process"]["args"], _attachments(network)
    ours["boot_id"] = boot_id()
    make_directories(roots, container_id)
    os.makedirs(os.path.dirname(ours["log"]["path"]), mode=0o710, exist_ok=True)
    place_files(roots, container_id, spec.files)
    require_files(roots, container_id, spec)
    write_own_files(roots.container(container_id), container_id, spec, network)
    if client is not None and client.size is not None:
        rows, columns = client.size
        record["process"]["consoleSize"] = {"height": rows, "width": columns}
    write_json(run_directory, CONFIG_NAME, record)
    started_at = time.time()
    outcome = await containers.stage.launch(run_directory, ours, client)
    if "code" in outcome:
        if outcome["code"] == "port-taken":
            raise _port_taken(containers, row["name"], outcome)
        if outcome["code"] in ("monitor-killed", "monitor"):
            await end_of_monitor(roots, container_id)
            clean_up(containers, container_id)
        if outcome["code"] == "already-running":  # another command was quicker
            if await is_started(containers, container_id):
                return
            if containers.row(container_id)["started_at"] == row["started_at"]:
                return await _start(containers, row, client, secrets)  # it was a copy
        raise _problem(row["name"], outcome)
    containers.db.execute(  # afterwards: one that has not begun has not been lost either
        "UPDATE containers SET started_at = ?, manually_stopped = 0 WHERE id = ?",
        (started_at, container_id),
    )
    note_event(containers.db, "start", container_id, {"name": row["name"]})


async def is_started(containers: Containers, container_id: str) -> bool:
    """Whether it runs. A monitor that is still starting, or already ending, is waited for."""
    run_directory = containers.roots.container_run(container_id)
    if lock_holder(run_directory) is None:
        return False
    with Changes(containers.roots, container_id) as changes:
        while (monitor := lock_holder(run_directory)) is not None:
            state = read_json(f"{run_directory}/{STATE_NAME}") or {}
            if state.get("monitor") == monitor and state["status"] in ALIVE:
                return True
            await changes.wait()
    return False


async def execute(
    containers: Containers, row: sqlite3.Row, spec: ExecSpec, output: Output | None = None
) -> int:
    """Run a process in a running container. Raises ContainerProblem.

    output  gets what it writes, in place of our stdout and stderr
    """
    from engine.containers import exec as exec_
    from engine.containers.observe import observe_state
    from engine.containers.process import StartError

    state = observe_state(containers.roots, row["id"], row["started_at"])
    target = state.get("target")
    config = read_json(f"{containers.roots.container_run(row['id'])}/{CONFIG_NAME}")
    require_running(row["name"], state)
    if not target or config is None:
        raise ContainerProblem(f"container {row['name']} has ended", code="container-not-running")
    target = {**target, "sessions": containers.roots.container_run(row["id"])}
    process = exec_.describe(spec, config)
    name = {"name": row["name"]}
    note_event(containers.db, "exec_create", row["id"], {**name, "command": list(spec.argv)})
    try:
        exit_code = await exec_.run(containers.stage, target, process, spec, output)
    except StartError as error:
        outcome = {"code": error.code, "what": error.what, "exit_code": error.exit_code}
        raise _problem(row["name"], outcome) from None
    note_event(containers.db, "exec_die", row["id"], {**name, "exit_code": exit_code})
    return exit_code


def _refuse_paused(containers: Containers, row: sqlite3.Row) -> None:
    state = read_json(f"{containers.roots.container_run(row['id'])}/{STATE_NAME}") or {}
    if state.get("status") == "paused":
        raise ContainerProblem(
            f"container {row['name']} is paused: it cannot be started",
            hint="`buoy unpause` lets it go on",
            code="container-paused",
        )


def _attach(containers: Containers, container_id: str, spec: ContainerSpec) -> dict[str, Any]:
    """Addresses are claimed, and networks that are down brought up."""
    hostname = spec.hostname or container_id[:12]
    return containers.parts.networks.attach(container_id, spec.name, hostname, spec)


def _attachments(network: Mapping[str, Any]) -> list[dict[str, Any]]:
    from engine.network.attached import attachment_of

    return [attachment_of(endpoint).values() for endpoint in network["endpoints"]]


def surroundings(
    containers: Containers,
    spec: ContainerSpec,
    network: dict[str, Any],
    donors: Mapping[str, str],
    network_owner: str,
) -> Surroundings:
    """With its volumes mounted, and the layers of the images that it mounts looked up."""
    images, volumes = containers.parts.images, containers.parts.volumes
    return Surroundings(
        network=network,
        mounted=volumes.mount(m.source for m in spec.mounts if m.type == "volume"),
        layers={
            i: mount.lowers or images.get(mount.source).lowers
            for i, mount in enumerate(spec.mounts)
            if mount.type == "image"
        },
        donors=donors,
        network_owner=network_owner,
    )


def make_directories(roots: Roots, container_id: str) -> None:
    """Of a container's layer and mounts. Nobody but root may enter: there are setuid files and
    secrets inside."""
    directory, run_directory = roots.container(container_id), roots.container_run(container_id)
    for base in (roots.root, roots.run_root):
        os.makedirs(f"{base}/containers", mode=0o711, exist_ok=True)
    for path in (directory, run_directory):
        os.makedirs(path, mode=0o710, exist_ok=True)
    for name in ("upper", "work", EMPTY_LOWER):
        ensure_directory(f"{directory}/{name}", 0o755)
    for name in ("rootfs", IMAGE_MOUNTS):
        os.makedirs(f"{run_directory}/{name}", mode=0o755, exist_ok=True)


def _problem(name: str, outcome: Mapping[str, Any]) -> ContainerProblem:
    what = f"container {name}: {outcome['what']}"
    problem = ContainerProblem(what, hint=outcome.get("hint") or None, code=outcome["code"])
    problem.exit_code = outcome.get("exit_code", 1)
    problem.setting = outcome.get("setting", "")
    return problem


def _port_taken(containers: Containers, name: str, outcome: Mapping[str, Any]) -> ContainerProblem:
    """The same, naming who has the port, or the ports of the range."""
    protocol, host_ip = outcome["protocol"], outcome["host_ip"]
    first, last = outcome["port"], outcome["last"]
    users = (
        _user_of_port(containers, protocol, host_ip, port)
        for port in range(first, min(last + 1, first + _SHOWN_PORTS))
    )
    who = ", ".join(dict.fromkeys(users))
    what = f"port {host_ip}:{first}/{protocol} is in use by {who}"
    if first != last:
        what = f"no port of {host_ip}:{first}-{last}/{protocol} is free: they are in use by {who}"
    return ContainerProblem(
        f"container {name}: {what}",
        hint="stop it, or publish another port",
        code="port-taken",
    )


def _user_of_port(containers: Containers, protocol: str, host_ip: str, port: int) -> str:
    from engine.network.port_holder import find_port_holder

    holder = find_port_holder(protocol, host_ip, port)
    if holder is None:
        return "another process"
    for other in containers.list():
        if lock_holder(containers.roots.container_run(other.id)) == holder.pid:
            project = other.labels.get("com.docker.compose.project")
            return f"container {other.name}" + (f" of project {project}" if project else "")
    return f"process {holder.pid} ({holder.command})"
