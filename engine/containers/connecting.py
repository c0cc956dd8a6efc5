"""Connecting a container to networks and disconnecting it, whether it runs or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.containers.observe import ALIVE, observe_state
from engine.containers.own_files import write_resolv_conf
from engine.containers.program import hostname_of
from engine.containers.rows import note_event
from engine.containers.spec import load_spec
from engine.containers.statefile import CONFIG_NAME, read_json, write_json
from engine.containers.stopping import ask
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    import sqlite3

    from engine.containers.containers import Containers
    from engine.containers.spec import ContainerSpec, EndpointSpec
    from engine.network.spec import Network


async def connect(containers: Containers, row: sqlite3.Row, wish: EndpointSpec) -> None:
    """Put a container on one network more. Raises Problem, with everything as it was before."""
    spec = load_spec(row["spec"], name=row["name"])
    network = containers.parts.networks.get_or_default(wish.network)
    _require_networks_of_its_own(row, spec)
    if network.name in ("host", "none"):
        raise ContainerProblem(
            f"container {row['name']} has networks of its own: it cannot be on {network.name}",
            hint=f"`network_mode: {network.name}` is for all of its life, and excludes others",
            code="network-mode",
        )
    if _without(containers, spec, network) != spec.endpoints:
        raise ContainerProblem(
            f"container {row['name']} is on network {network.name} already",
            code="already-connected",
        )
    wish = wish.replace(network=network.name)
    await change_endpoints(containers, row, spec, spec.replace(endpoints=(*spec.endpoints, wish)))
    _note(containers, "connect", network, row)


async def disconnect(containers: Containers, row: sqlite3.Row, name: str) -> None:
    """Take a container off a network. Raises Problem, with everything as it was before."""
    spec = load_spec(row["spec"], name=row["name"])
    network = containers.parts.networks.get_or_default(name)
    _require_networks_of_its_own(row, spec)
    kept = _without(containers, spec, network)
    if kept == spec.endpoints:
        raise ContainerProblem(
            f"container {row['name']} is not on network {network.name}", code="not-connected"
        )
    await change_endpoints(containers, row, spec, spec.replace(endpoints=kept))
    containers.parts.networks.detach(row["id"], network)
    _note(containers, "disconnect", network, row)


def _require_networks_of_its_own(row: sqlite3.Row, spec: ContainerSpec) -> None:
    if spec.network != "networks":
        raise ContainerProblem(
            f"container {row['name']} has no network of its own ({spec.network}): it cannot be "
            "connected to others",
            code="network-mode",
        )


def _without(
    containers: Containers, spec: ContainerSpec, network: Network
) -> tuple[EndpointSpec, ...]:
    """Endpoints name their network by name or id."""
    found = containers.parts.networks.find
    return tuple(
        one for one in spec.endpoints if getattr(found(one.network), "id", None) != network.id
    )


async def change_endpoints(
    containers: Containers, row: sqlite3.Row, before: ContainerSpec, after: ContainerSpec
) -> None:
    """Give a container, running or not, other places on networks and other plugged interfaces.
    Raises Problem, with everything as it was before."""
    state = observe_state(containers.roots, row["id"], row["started_at"])
    if state["status"] in ALIVE:
        await _change_running(containers, row, before, after)
    spec, plain = json.loads(row["spec"]), after.plain()
    spec |= {key: plain[key] for key in ("endpoints", "plugs")}
    containers.db.execute(
        "UPDATE containers SET spec = ? WHERE id = ?", (json.dumps(spec), row["id"])
    )


async def _change_running(
    containers: Containers, row: sqlite3.Row, before: ContainerSpec, after: ContainerSpec
) -> None:
    """Addresses are claimed, the monitor does the rest; then what is written down follows."""
    from engine.network.attached import attachment_of

    networks, container_id = containers.parts.networks, row["id"]
    run_directory = containers.roots.container_run(container_id)
    config: dict[str, Any] = read_json(f"{run_directory}/{CONFIG_NAME}") or {}
    hostname = hostname_of(container_id, after)
    record = networks.attach(container_id, row["name"], hostname, after, running=True)
    attachments = [attachment_of(endpoint).values() for endpoint in record["endpoints"]]
    request = {"do": "networks", "network": record, "attachments": attachments}
    answer = await ask(containers.roots, container_id, request)
    if answer is None or answer.get("error"):
        _give_back(containers, container_id, before, after)
        why = "it has ended" if answer is None else answer["error"]
        raise ContainerProblem(f"container {row['name']}: {why}", code="connect")
    _update_hosts(containers, container_id, config["buoy"]["network"], record)
    # it names us, or the host's servers while it is on the default network alone
    write_resolv_conf(containers.roots.container(container_id), after, record)
    config["buoy"].update(network=record, attachments=attachments)
    write_json(run_directory, CONFIG_NAME, config)


def _give_back(
    containers: Containers, container_id: str, before: ContainerSpec, after: ContainerSpec
) -> None:
    """The claims of a change that was not made."""
    networks = containers.parts.networks
    kept = {networks.get(one.network).id for one in before.endpoints}
    for one in after.endpoints:
        network = networks.get(one.network)
        if network.id not in kept:
            networks.detach(container_id, network)


def _update_hosts(
    containers: Containers, container_id: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Its own lines; what else was written there stays. In place: the file is bind-mounted."""
    from engine.network.hosts import own_lines

    path = f"{containers.roots.container(container_id)}/hosts"
    old, new = own_lines(before), own_lines(after)
    with open(path, "r+", encoding="utf-8", errors="surrogateescape") as file:
        lines = [line for line in file.read().splitlines() if line not in old]
        file.seek(0)
        file.truncate()
        file.writelines(f"{line}\n" for line in [*lines, *new])


def _note(containers: Containers, action: str, network: Network, row: sqlite3.Row) -> None:
    attributes = {"container": row["id"], "name": network.name, "type": network.driver}
    note_event(containers.db, action, network.id, attributes, kind="network")
