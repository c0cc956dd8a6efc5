"""What a network is asked to be (NetworkSpec) and what it is (Network)."""

from __future__ import annotations

import ipaddress
import json

from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

OPTION_BRIDGE_NAME = "com.docker.network.bridge.name"
OPTION_MTU = "com.docker.network.driver.mtu"
DEFAULT_MTU = 1500


class NetworkSpec(Record):
    """The wish for a network.

    subnet    `10.5.0.0/24`; None: the first free one of the pools
    gateway   an address of the subnet; None: the first of `ip_range`, else of the subnet
    ip_range  part of the subnet that automatic addresses are taken from
    internal  nothing enters or leaves it but by the host itself
    options   of the driver, in Docker's words (`com.docker.network.driver.mtu`)
    """

    name: str
    driver: str = "bridge"
    internal: bool = False
    subnet: str | None = None
    gateway: str | None = None
    ip_range: str | None = None
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}


class Network(Record):
    """A network as recorded. `created_at` is seconds since the epoch."""

    id: str
    name: str
    driver: str
    bridge: str
    subnet: ipaddress.IPv4Network
    subnet_given: bool
    ip_range: ipaddress.IPv4Network | None
    gateway: ipaddress.IPv4Address
    internal: bool
    labels: Mapping[str, str]
    options: Mapping[str, str]
    created_at: float

    @property
    def mtu(self) -> int:
        """Bytes, of the bridge and of both ends of each veth."""
        return int(self.options.get(OPTION_MTU, DEFAULT_MTU))

    @property
    def range(self) -> tuple[str, int]:
        """First address and prefix length of the subnet."""
        return str(self.subnet.network_address), self.subnet.prefixlen


def network_of(row: sqlite3.Row) -> Network:
    """The network of a row of the `networks` table."""
    ip_range = row["ip_range"]
    return Network(
        id=row["id"],
        name=row["name"],
        driver=row["driver"],
        bridge=row["bridge"],
        subnet=ipaddress.IPv4Network(row["subnet"]),
        subnet_given=bool(row["subnet_given"]),
        ip_range=ipaddress.IPv4Network(ip_range) if ip_range else None,
        gateway=ipaddress.IPv4Address(row["gateway"]),
        internal=bool(row["internal"]),
        labels=json.loads(row["labels"]),
        options=json.loads(row["options"]),
        created_at=row["created_at"],
    )
