"""What others may see of the places that a container has on networks."""

from __future__ import annotations

import itertools

from engine.containers.observed import Attachment

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from engine.network.spec import Network


def attachment_of(endpoint: Mapping[str, Any]) -> Attachment:
    """What of an endpoint of the launch record is for others to see."""
    places = endpoint["addresses"]
    return Attachment(
        network_id=endpoint["network_id"],
        network=endpoint["network"],
        addresses=tuple(f"{place['address']}/{place['prefix_length']}" for place in places),
        gateways=tuple(place["gateway"] for place in places),
        mac_address=endpoint["mac_address"],
        interface=endpoint["interface"],
    )


def claimed_attachments(
    database: sqlite3.Connection, container_id: str, network_of: Callable[[str], Network]
) -> tuple[Attachment, ...]:
    """Those of a container, in connect order, from its rows of `addresses`.

    network_of   a network by its id
    """
    rows = database.execute(
        "SELECT * FROM addresses WHERE container_id = ?"
        " ORDER BY length(interface), interface, network_id, family",
        (container_id,),
    )
    return tuple(
        _claimed(list(found), network_of(network_id))
        for network_id, found in itertools.groupby(rows, lambda row: row["network_id"])
    )


def _claimed(rows: Sequence[sqlite3.Row], network: Network) -> Attachment:
    """An attachment from the rows of `addresses` of one container on one network."""
    found = [(row["address"], network.pool(row["family"])) for row in rows]
    places = [(address, pool) for address, pool in found if pool is not None]
    return Attachment(
        network_id=network.id,
        network=network.name,
        addresses=tuple(f"{address}/{pool.subnet.prefixlen}" for address, pool in places),
        gateways=tuple(str(pool.gateway) for _, pool in places),
        mac_address=rows[0]["mac_address"],
        interface=rows[0]["interface"],
    )
