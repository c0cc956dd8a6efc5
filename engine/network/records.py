"""The rows of networks and their pools."""

from __future__ import annotations

import json
import os
import time
from ipaddress import ip_network

from engine.network.spec import network_of

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from engine.network.spec import Network, NetworkSpec, Pool, Range


def find(database: sqlite3.Connection, name_or_id: str) -> Network | None:
    """By name, id, or a prefix of the id that only one has."""
    row = database.execute(
        "SELECT * FROM networks WHERE name = ? OR id = ?", (name_or_id, name_or_id)
    ).fetchone()
    if row is None and name_or_id.isalnum():
        rows = database.execute(
            "SELECT * FROM networks WHERE id GLOB ? LIMIT 2", (f"{name_or_id}*",)
        ).fetchall()
        row = rows[0] if len(rows) == 1 else None
    return _network_of(database, row) if row else None


def is_taken(database: sqlite3.Connection, name: str) -> bool:
    """Whether a network has exactly that name."""
    found = database.execute("SELECT 1 FROM networks WHERE name = ?", (name,))
    return found.fetchone() is not None


def is_any(database: sqlite3.Connection) -> bool:
    """Whether there is a network."""
    return database.execute("SELECT 1 FROM networks LIMIT 1").fetchone() is not None


def all_by_name(database: sqlite3.Connection) -> list[Network]:
    """All networks, by name."""
    rows = database.execute("SELECT * FROM networks ORDER BY name").fetchall()
    return [_network_of(database, row) for row in rows]


def subnets(database: sqlite3.Connection) -> list[tuple[str, Range]]:
    """The subnets of all networks, with the names of these."""
    rows = database.execute("SELECT name, subnet FROM pools JOIN networks ON id = network_id")
    return [(row["name"], ip_network(row["subnet"])) for row in rows]


def new_id() -> str:
    """64 hex digits that nobody has had."""
    return os.urandom(32).hex()


def insert(
    database: sqlite3.Connection,
    network_id: str,
    spec: NetworkSpec,
    device: str,
    pools: Iterable[Pool],
) -> None:
    """Record a network; `device` as in `Network`."""
    database.execute(
        "INSERT INTO networks"
        " (id, name, driver, device, internal, attachable, labels, options, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            network_id,
            spec.name,
            spec.driver,
            device,
            spec.internal,
            spec.attachable,
            json.dumps(dict(spec.labels)),
            json.dumps(dict(spec.options)),
            time.time(),
        ),
    )
    for pool in pools:
        _insert_pool(database, network_id, pool)


def delete(database: sqlite3.Connection, network_id: str) -> None:
    """Forget a network with its pools and claims."""
    database.execute("DELETE FROM networks WHERE id = ?", (network_id,))


def container_name(database: sqlite3.Connection, container_id: str) -> str:
    """The name of a container; of one that is gone, 12 of its id."""
    row = database.execute("SELECT name FROM containers WHERE id = ?", (container_id,)).fetchone()
    return str(row["name"]) if row else container_id[:12]


def is_claimed(database: sqlite3.Connection, network_id: str) -> bool:
    """Whether a container has an address of a network, running or not."""
    found = database.execute(
        "SELECT 1 FROM addresses WHERE network_id = ? AND container_id IS NOT NULL LIMIT 1",
        (network_id,),
    )
    return found.fetchone() is not None


def users(database: sqlite3.Connection, network_id: str) -> list[str]:
    """The ids of the containers that have an address of a network, running or not."""
    rows = database.execute(
        "SELECT DISTINCT container_id FROM addresses"
        " WHERE network_id = ? AND container_id IS NOT NULL",
        (network_id,),
    )
    return [row["container_id"] for row in rows]


def interfaces(database: sqlite3.Connection, container_id: str) -> dict[str, str]:
    """The interfaces of a container by network id."""
    rows = database.execute(
        "SELECT network_id, interface FROM addresses WHERE container_id = ?", (container_id,)
    )
    return {row["network_id"]: row["interface"] for row in rows}


def _insert_pool(database: sqlite3.Connection, network_id: str, pool: Pool) -> None:
    database.execute(
        "INSERT INTO pools (network_id, family, subnet, given, ip_range, gateway, reserved)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            network_id,
            pool.family,
            str(pool.subnet),
            pool.is_given,
            str(pool.ip_range) if pool.ip_range else None,
            str(pool.gateway),
            json.dumps({name: str(address) for name, address in pool.reserved.items()}),
        ),
    )


def _network_of(database: sqlite3.Connection, row: sqlite3.Row) -> Network:
    pools = database.execute(
        "SELECT * FROM pools WHERE network_id = ? ORDER BY family", (row["id"],)
    )
    return network_of(row, pools)
