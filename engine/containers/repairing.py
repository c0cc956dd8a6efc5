"""Putting networks right: what is on record, beside what the kernel has, at the host and inside.

It looks, has everything made as it is on record, and looks again: what is found then is what
could not be put right.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any

from engine.containers.mending import mend
from engine.containers.observe import observe_state
from engine.containers.statefile import CONFIG_NAME, read_json
from engine.containers.stopping import ask
from engine.errors import ContainerProblem, Problem
from engine.kernel.process import start_time
from engine.kernel.record import Record
from engine.network import inside as within
from engine.network import names
from engine.network.finding import Finding
from engine.network.plugs.devices import PREFIX

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from engine.containers.containers import Containers
    from engine.network.spec import Network


_OWN = ("sandbox", "none")  # what may be plugged into


class Repaired(Record):
    """Something that was found, and whether it is right now.

    why  it is not, as far as the container's monitor says so
    """

    finding: Finding
    mended: bool
    why: str = ""


class _Inmate(Record):
    """A container that runs on networks of its own.

    pid, started           its init
    network, attachments   of its launch record
    """

    id: str
    name: str
    pid: int
    started: int
    network: dict[str, Any]
    attachments: list[dict[str, Any]]


async def repair(containers: Containers, wanted: Sequence[str], *, inside: bool) -> list[Repaired]:
    """Put these networks right; without names all, and what is left of those that are gone.

    inside  also what a container with the right to do so may have changed itself; else, of
            containers, what is seen from the host

    Raises NetworkProblem `no-such-network`.
    """
    before = await find_faults(containers, wanted, inside=inside)
    if not before:
        return []
    mend(containers)
    failures = _restore(containers, _chosen(containers, wanted))
    lost = set()
    if not wanted:
        failures += containers.parts.networks.plugs.restore_lost()
        lost = {one.container for one in before if one.network.startswith(PREFIX)}
    faults = await find_faults(containers, wanted, inside=inside)
    errors = await _have_mended(containers, {*lost, *(one.container for one in faults)})
    if not wanted:
        containers.parts.networks.remove_stale()
    faults = await find_faults(containers, wanted, inside=inside)
    left = {(one.network, str(one)): one for one in faults}
    left |= {(one.network, str(one)): one for one in failures}  # which say what can be done
    mended = [one for one in before if (one.network, str(one)) not in left]
    return [
        *(Repaired(finding=one, mended=True) for one in mended),
        *(
            Repaired(finding=one, mended=False, why=errors.get(one.container, ""))
            for one in left.values()
        ),
    ]


async def find_faults(
    containers: Containers, wanted: Sequence[str], *, inside: bool
) -> list[Finding]:
    """What of these networks, or of all, is not as it is on record. Changes nothing."""
    networks, chosen = containers.parts.networks, _chosen(containers, wanted)
    found = networks.find_faults(chosen)
    if not wanted:
        found += networks.plugs.find_lost()
    if inside:
        known = {network.name for network in chosen}
        told = {(one.network, one.container) for one in found if one.container}
        found += [
            one
            for one in await _look_inside(containers)
            if (not wanted or one.network in known) and (one.network, one.container) not in told
        ]
    return found if wanted else [*found, *networks.find_stale()]


def _chosen(containers: Containers, wanted: Sequence[str]) -> list[Network]:
    networks = containers.parts.networks
    return [networks.get(name) for name in wanted] or networks.list()


def _restore(containers: Containers, networks: list[Network]) -> list[Finding]:
    """At the host; what could not be."""
    failures = []
    for network in networks:
        try:
            containers.parts.networks.restore(network)
        except Problem as problem:
            what = str(problem).removeprefix(f"network {network.name}: ")
            failures.append(Finding(network=network.name, what=what, hint=problem.hint))
    return failures


async def _have_mended(containers: Containers, names: set[str]) -> dict[str, str]:
    """Each monitor is asked to be on the networks that it is on; by container, why it cannot."""
    errors = {}
    for found in filter(lambda inmate: inmate.name in names, _inmates(containers)):
        with contextlib.suppress(ContainerProblem):  # it has just been removed
            async with containers.turn(found.id) as row:
                one = _find_inmate(containers, row)  # it may be on other networks by now
                answer = await ask(containers.roots, one.id, _request(one)) if one else None
                if answer is not None and answer.get("error"):
                    errors[found.name] = answer["error"]
    return errors


def _request(one: _Inmate) -> dict[str, Any]:
    return {"do": "networks", "network": one.network, "attachments": one.attachments}


async def _look_inside(containers: Containers) -> list[Finding]:
    inmates = _inmates(containers)
    # in a thread of its own, which joins their namespaces
    return await asyncio.to_thread(lambda: [fault for one in inmates for fault in _faults(one)])


def _inmates(containers: Containers) -> list[_Inmate]:
    rows = containers.db.execute("SELECT id, name, started_at FROM containers").fetchall()
    return [one for row in rows if (one := _find_inmate(containers, row)) is not None]


def _find_inmate(containers: Containers, row: sqlite3.Row) -> _Inmate | None:
    state = observe_state(containers.roots, row["id"], row["started_at"])
    target = state.get("target")
    config = read_json(f"{containers.roots.container_run(row['id'])}/{CONFIG_NAME}")
    if not target or config is None or config["buoy"]["network"]["mode"] not in _OWN:
        return None
    return _Inmate(
        id=row["id"],
        name=row["name"],
        pid=target["pid"],
        started=target["started"],
        network=config["buoy"]["network"],
        attachments=config["buoy"]["attachments"],
    )


def _faults(one: _Inmate) -> list[Finding]:
    try:
        netns_fd = os.open(f"/proc/{one.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        if start_time(one.pid) != one.started:  # the pid was used again while we looked
            return []
        found = [*within.find_faults(netns_fd, one.network), *_unnamed(one)]
    finally:
        os.close(netns_fd)
    return [Finding(network=network, container=one.name, what=what) for network, what in found]


def _unnamed(one: _Inmate) -> Iterator[tuple[str, str]]:
    """Networks on which nobody finds it by its names."""
    for endpoint in one.network["endpoints"]:
        if not any(
            entry.container_id == one.id and entry.alive and entry.names
            for entry in names.read(endpoint["directory"])
        ):
            yield endpoint["network"], "it is not found by its names any more"
