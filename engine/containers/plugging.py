"""Plugging interfaces into a container by hand, whether it runs or not, and unplugging them."""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import TYPE_CHECKING

from engine.containers.connecting import change_endpoints
from engine.containers.observe import ALIVE, observe_state
from engine.containers.rows import note_event
from engine.containers.spec import load_spec
from engine.errors import ContainerProblem, NetworkProblem
from engine.network.drivers.bridge import random_mac

if TYPE_CHECKING:
    import sqlite3

    from engine.containers.containers import Containers
    from engine.containers.observed import Plugged
    from engine.containers.spec import ContainerSpec, PlugSpec

_WITH_NAMESPACE = ("networks", "none")
LEASE_S = 15.0  # for a server to answer


async def plug(containers: Containers, name_or_id: str, wish: PlugSpec) -> Plugged:
    """Give a container an interface more, as it is then. Raises Problem, with all as before.

    wish   `interface`: "" for the first free ethN; with `dhcp`, a lease is waited for
    """
    async with containers.turn(name_or_id) as row:
        wish = await _plug(containers, row, wish)
    state = observe_state(containers.roots, row["id"], row["started_at"])
    if wish.dhcp and state["status"] in ALIVE:
        await _await_lease(containers, row, wish)
    note_event(containers.db, "plug", row["id"], {"name": row["name"], "interface": wish.interface})
    return _find(containers, row["id"], wish.interface)


async def unplug(containers: Containers, name_or_id: str, interface: str) -> None:
    """Take an interface away that was plugged in. Raises Problem.

    interface  "": the one that there is
    """
    async with containers.turn(name_or_id) as row:
        await _unplug(containers, row, interface)


async def _plug(containers: Containers, row: sqlite3.Row, wish: PlugSpec) -> PlugSpec:
    """The wish with what was left open in it."""
    spec = load_spec(row["spec"], name=row["name"])
    if spec.network not in _WITH_NAMESPACE:
        raise ContainerProblem(
            f"container {row['name']} has no network of its own ({spec.network}): nothing can be "
            "plugged into it",
            code="network-mode",
        )
    wish = wish.replace(interface=wish.interface or _free_name(containers, row["id"], spec))
    if wish.driver == "macvlan":
        wish = wish.replace(mac_address=wish.mac_address or random_mac())
    if wish.interface in _names(containers, row["id"], spec):
        raise NetworkProblem(
            f"container {row['name']} has an interface {wish.interface} already",
            code="interface-taken",
        )
    after = spec.replace(plugs=(*spec.plugs, wish))
    if wish.dhcp:
        _forget_lease(containers, row["id"], wish.interface)
    try:
        containers.parts.networks.plugs.describe(row["id"], spec.name, after)
        await change_endpoints(containers, row, spec, after)
    except BaseException:
        containers.parts.networks.plugs.sweep_unused()
        raise
    return wish


async def _unplug(containers: Containers, row: sqlite3.Row, interface: str) -> None:
    spec = load_spec(row["spec"], name=row["name"])
    interface = interface or _only_one(spec)
    kept = tuple(one for one in spec.plugs if one.interface != interface)
    if kept == spec.plugs:
        raise ContainerProblem(
            f"nothing was plugged into container {row['name']} as {interface}",
            hint=_shown(spec),
            code="not-plugged",
        )
    await change_endpoints(containers, row, spec, spec.replace(plugs=kept))
    containers.parts.networks.plugs.sweep_unused()
    note_event(containers.db, "unplug", row["id"], {"name": row["name"], "interface": interface})


def _forget_lease(containers: Containers, container_id: str, interface: str) -> None:
    """That of an earlier interface of the name, whose client was killed."""
    from engine.network.dhcp.lease import directory_of, write_lease

    directory = directory_of(containers.roots.container_run(container_id), interface)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    write_lease(directory, None)


async def _await_lease(containers: Containers, row: sqlite3.Row, wish: PlugSpec) -> None:
    """Where no server answers, the interface goes again."""
    from engine.containers.watching import Notices
    from engine.kernel.inotify import IN_MOVED_TO
    from engine.network.dhcp.lease import directory_of, read_lease_in

    directory = directory_of(containers.roots.container_run(row["id"]), wish.interface)
    try:
        async with asyncio.timeout(LEASE_S):
            with Notices([directory], IN_MOVED_TO) as notices:
                while read_lease_in(directory) is None:
                    await notices.wait()
    except BaseException as error:
        await unplug(containers, row["id"], wish.interface)
        if not isinstance(error, TimeoutError):
            raise
        raise NetworkProblem(
            f"container {row['name']}: no DHCP server answered on {wish.device} in {LEASE_S:.0f} s",
            hint="a server on this host hears no links on a parent" if wish.parent else None,
            code="no-lease",
        ) from None


def _names(containers: Containers, container_id: str, spec: ContainerSpec) -> set[str]:
    """The interfaces that it has, and those that its networks will want when it is started."""
    places = containers.parts.networks.attachments(container_id)
    wanted = len(spec.endpoints) if spec.network == "networks" else 0
    names = {"lo", *(place.interface for place in places), *(f"eth{n}" for n in range(wanted))}
    return names | {one.interface for one in spec.plugs}


def _free_name(containers: Containers, container_id: str, spec: ContainerSpec) -> str:
    taken = _names(containers, container_id, spec)
    return next(name for n in itertools.count() if (name := f"eth{n}") not in taken)


def _find(containers: Containers, container_id: str, interface: str) -> Plugged:
    return next(one for one in containers.get(container_id).plugged if one.interface == interface)


def _only_one(spec: ContainerSpec) -> str:
    if len(spec.plugs) == 1:
        return spec.plugs[0].interface
    raise ContainerProblem(
        f"container {spec.name} has {len(spec.plugs)} plugged interfaces: which one?",
        hint=_shown(spec),
        code="not-plugged",
    )


def _shown(spec: ContainerSpec) -> str | None:
    names = ", ".join(one.interface for one in spec.plugs)
    return f"there is {names}" if names else None
