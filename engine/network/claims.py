"""Addresses of endpoints: claims that outlive their containers.

An address is handed out after the last one, and is sticky: who comes back under the same owner
key gets the same one, as long as the pool has others to give (engine.md B2.4).
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from typing import TYPE_CHECKING

from engine.errors import NetworkProblem
from engine.network import records
from engine.network.ipam import is_host_address, parse_address

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from engine.network.spec import Address, Network, Pool


class Claims:
    """The addresses of one pool, inside a transaction that the caller holds.

    is_up   whether a container's endpoint is up now: the claim of one that is not can be taken
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        network: Network,
        pool: Pool,
        is_up: Callable[[str], bool],
    ) -> None:
        self._database = database
        self._network = network
        self._pool = pool
        self._is_up = is_up

    def claim(
        self, container_id: str, owner: str, interface: str, *, fixed: str | None, mac: str | None
    ) -> tuple[str, str]:
        """The address and MAC of a container; the same as before where that is possible.

        mac   None: one that follows from the address

        Raises NetworkProblem: `address-taken`, `address-invalid`, `addresses-exhausted`.
        """
        owner = self._owner_for(container_id, owner)
        if fixed is not None:
            address = self._check_fixed(fixed, container_id)
        else:
            address = self._remembered(container_id, owner) or self._next_free()
        mac = mac or derive_mac(self._network.id, address)
        self._database.execute(
            "DELETE FROM addresses WHERE network_id = ? AND family = ?"
            " AND (owner = ? OR container_id = ?)",
            (*self._key, owner, container_id),
        )
        self._database.execute(
            "INSERT INTO addresses"
            " (network_id, family, address, owner, container_id, mac_address, interface)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*self._key, address, owner, container_id, mac, interface),
        )
        return address, mac

    @property
    def _key(self) -> tuple[str, int]:
        return self._network.id, self._pool.family

    def _owner_for(self, container_id: str, owner: str) -> str:
        """The sticky key, unless another container is up with it: then the container's own id."""
        row = self._row("owner = ?", owner)
        held_by = row["container_id"] if row else None
        if held_by in (None, container_id) or not self._is_up(held_by):
            return owner
        return container_id

    def _remembered(self, container_id: str, owner: str) -> str | None:
        row = self._row("container_id = ?", container_id) or self._row("owner = ?", owner)
        return str(row["address"]) if row else None

    def _check_fixed(self, wanted: str, container_id: str) -> str:
        network = self._network
        if not self._pool.is_given:
            raise NetworkProblem(
                "user specified IP address is supported only when connecting to networks with "
                f"user configured subnets: {wanted} on {network.name}",
                hint=f"give network `{network.name}` a subnet (ipam.config)",
                code="address-invalid",
            )
        address = _parse_address(wanted, network, self._pool)
        row = self._row("address = ?", address)
        held_by = row["container_id"] if row else None
        if held_by and held_by != container_id and self._is_up(held_by):
            raise NetworkProblem(
                f"network {network.name}: address {address} is in use by container "
                f"{self._name_of(held_by)}",
                code="address-taken",
            )
        self._forget(address)
        return address

    def _next_free(self) -> str:
        """The address after the one handed out last; remembered ones only when none is left."""
        taken = self._taken()
        for address in self._candidates():
            if str(address) not in taken:
                self._database.execute(
                    "UPDATE pools SET last_address = ? WHERE network_id = ? AND family = ?",
                    (str(address), *self._key),
                )
                return str(address)
        return self._give_up_oldest()

    def _candidates(self) -> Iterator[Address]:
        pool = self._pool.ip_range or self._pool.subnet
        kept = {self._pool.gateway, *self._pool.reserved.values()}
        size = pool.num_addresses
        last = self._database.execute(
            "SELECT last_address FROM pools WHERE network_id = ? AND family = ?", self._key
        ).fetchone()["last_address"]
        start = int(ipaddress.ip_address(last)) - int(pool.network_address) + 1 if last else 0
        step = 0
        while step < size:  # of IPv6, more than `range` can count
            address = pool.network_address + (start + step) % size
            step += 1
            if address not in kept and is_host_address(address, self._pool.subnet):
                yield address

    def _give_up_oldest(self) -> str:
        """One that is only remembered, or else of a container that does not run."""
        pool = self._pool.ip_range or self._pool.subnet
        rows = self._database.execute(
            "SELECT address, container_id FROM addresses WHERE network_id = ? AND family = ?"
            " ORDER BY container_id IS NOT NULL, released_at",
            self._key,
        ).fetchall()
        for row in rows:
            address, held_by = str(row["address"]), row["container_id"]
            is_free = held_by is None or not self._is_up(held_by)
            if is_free and ipaddress.ip_address(address) in pool:
                self._forget(address)
                return address
        raise NetworkProblem(
            f"network {self._network.name}: no address left in {pool}, used by {self._users()}",
            hint="remove containers, or give the network a larger subnet",
            code="addresses-exhausted",
        )

    def _users(self) -> str:
        rows = self._database.execute(
            "SELECT address, container_id FROM addresses WHERE network_id = ? AND family = ?",
            self._key,
        ).fetchall()
        shown = [f"{self._name_of(row['container_id'])} ({row['address']})" for row in rows[:5]]
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        return ", ".join(shown) + more

    def _taken(self) -> set[str]:
        rows = self._database.execute(
            "SELECT address FROM addresses WHERE network_id = ? AND family = ?", self._key
        )
        return {row["address"] for row in rows}

    def _forget(self, address: str) -> None:
        self._database.execute(
            "DELETE FROM addresses WHERE network_id = ? AND address = ?",
            (self._network.id, address),
        )

    def _row(self, condition: str, value: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._database.execute(
            f"SELECT * FROM addresses WHERE network_id = ? AND family = ? AND {condition}",
            (*self._key, value),
        ).fetchone()
        return row

    def _name_of(self, container_id: str) -> str:
        return records.container_name(self._database, container_id)


def release(
    database: sqlite3.Connection, container_id: str, network: Network | None = None
) -> None:
    """Give a container's claims back, those on one network or all. Those with a sticky owner are
    remembered."""
    there = network.id if network else None
    database.execute(
        "DELETE FROM addresses WHERE container_id = ? AND owner = container_id"
        " AND network_id = coalesce(?, network_id)",
        (container_id, there),
    )
    database.execute(
        "UPDATE addresses SET container_id = NULL, released_at = ? WHERE container_id = ?"
        " AND network_id = coalesce(?, network_id)",
        (time.time(), container_id, there),
    )


def release_of_gone(database: sqlite3.Connection) -> None:
    """Give back the claims of containers that are on record no more."""
    gone = database.execute(
        "SELECT DISTINCT container_id FROM addresses WHERE container_id NOT IN"
        " (SELECT id FROM containers)"
    ).fetchall()
    for row in gone:
        release(database, row["container_id"])


def derive_mac(network_id: str, address: str) -> str:
    """A local unicast MAC that follows from network and address.

    So a container that takes over an address takes over its MAC too, and no neighbour's cache
    is wrong. Networks differ, so that a bridge that joins two sees no MAC twice.
    """
    tail = hashlib.sha256(f"{network_id} {address}".encode()).digest()[:5]
    return ":".join(f"{byte:02x}" for byte in (0x02, *tail))


def _parse_address(wanted: str, network: Network, pool: Pool) -> str:
    address = parse_address(wanted)
    if address is None or not is_host_address(address, pool.subnet):
        raise NetworkProblem(
            f"network {network.name}: `{wanted}` is not an address of {pool.subnet}",
            code="address-invalid",
        )
    users = {pool.gateway: "its gateway"} | {
        a: f"aux_addresses.{k}" for k, a in pool.reserved.items()
    }
    if address in users:
        raise NetworkProblem(
            f"network {network.name}: address {address} is in use by {users[address]}",
            code="address-taken",
        )
    return str(address)
