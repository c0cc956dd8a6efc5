"""What interfaces are plugged into, on the host: it is there, or made, and then goes with the last
container that has such an interface."""

from __future__ import annotations

import json

from engine.containers.spec import PlugSpec
from engine.errors import NetworkProblem
from engine.kernel import rtnetlink
from engine.kernel.rtnetlink import RouteSocket
from engine.network.drivers import bridge, ipvlan
from engine.network.drivers.parents import create_vlan, missing
from engine.network.finding import Finding
from engine.network.options import DEFAULT_MTU

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3

    from engine.kernel.rtnetlink import Link

PREFIX = "plug "
_ALIAS = "buoy plugs "


def ensure_device(host: RouteSocket, wish: PlugSpec, owner: str) -> Link:
    """The device, up. A bridge or a VLAN is made where there is none.

    owner   name in the kernel of the engine that it is made for

    Raises NetworkProblem: parent-missing, no-bridge, driver-unsupported, device-exists.
    """
    name = wish.device
    link = host.find_link(name)
    if link is None:
        _create(host, wish, _ALIAS + owner)
        link = host.find_link(name)
        assert link is not None, "the kernel has just made it"
    if wish.bridge and link.kind != "bridge":
        raise NetworkProblem(
            f"{name} is no bridge: it is {link.kind or 'a device'}",
            hint=f"--parent {name} makes a link on top of it",
            code="no-bridge",
        )
    if not link.up:
        host.send([rtnetlink.link_up(link.index)])
    if wish.parent and wish.driver == "ipvlan":
        ipvlan.probe(host, link.index, "plug")
    return link


def sweep_unused(database: sqlite3.Connection, owner: str) -> None:
    """Remove what was made for this owner, and that no container on record has a plug in."""
    used = {plug.device for _, plug in plugs_on_record(database)}
    with RouteSocket() as host:
        for link in host.links():
            if link.alias == _ALIAS + owner and link.name not in used:
                host.remove_link(link.index)


def find_lost(database: sqlite3.Connection) -> list[Finding]:
    """Devices that plugs are on record for and that are not there, or are down."""
    found = []
    with RouteSocket() as host:
        for container, plug in plugs_on_record(database):
            link = host.find_link(plug.device)
            if link is None or not link.up:
                what = f"{plug.device} is {'gone' if link is None else 'down'}"
                found.append(Finding(network=name_of(plug), container=container, what=what))
    return found


def restore_lost(database: sqlite3.Connection, owner: str) -> list[Finding]:
    """Make them again; those that could not be."""
    failures = []
    with RouteSocket() as host:
        for container, plug in plugs_on_record(database):
            try:
                ensure_device(host, plug, owner)
            except NetworkProblem as problem:
                place = {"network": name_of(plug), "container": container}
                failures.append(Finding(**place, what=str(problem), hint=problem.hint))
    return failures


def name_of(plug: PlugSpec) -> str:
    """What it is called where networks are: those have no blanks in their names."""
    return f"{PREFIX}{plug.interface}"


def plugs_on_record(database: sqlite3.Connection) -> list[tuple[str, PlugSpec]]:
    """All, with the name of their container."""
    rows = database.execute("SELECT name, spec FROM containers WHERE spec LIKE '%\"plugs\": [{%'")
    return [
        (row["name"], PlugSpec(**plug)) for row in rows for plug in json.loads(row["spec"])["plugs"]
    ]


def _create(host: RouteSocket, wish: PlugSpec, alias: str) -> None:
    if wish.bridge:
        bridge.add_bridge(host, wish.device, DEFAULT_MTU, alias)
    elif wish.vlan:
        create_vlan(host, wish.parent, wish.vlan, "plug", alias)
    else:
        raise missing(wish.device, "plug")
