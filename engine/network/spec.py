"""What a network is asked to be (NetworkSpec) and what it is (Network)."""

from __future__ import annotations

import ipaddress
import json

from engine.kernel.record import Record
from engine.network.options import read_bridge_options

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from engine.network.options import BridgeOptions

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Range = ipaddress.IPv4Network | ipaddress.IPv6Network


class PoolSpec(Record):
    """The wish for the addresses of one family.

    subnet    `10.5.0.0/24`, `fd00:5::/64`
    gateway   an address of the subnet; None: the first of `ip_range`, else of the subnet
    ip_range  part of the subnet that automatic addresses are taken from
    reserved  name -> address that no container is given (Compose: aux_addresses)
    """

    subnet: str
    gateway: str | None = None
    ip_range: str | None = None
    reserved: Mapping[str, str] = {}


class NetworkSpec(Record):
    """The wish for a network.

    ipv4, ipv6  which families it has; without a pool of the family a subnet is chosen
    pools       at most one for each family
    internal    nothing enters or leaves it but by the host itself
    options     of the driver, in Docker's words (`com.docker.network.driver.mtu`)
    attachable  said of it; without effect on one host
    """

    name: str
    driver: str = "bridge"
    internal: bool = False
    attachable: bool = False
    ipv4: bool = True
    ipv6: bool = False
    pools: tuple[PoolSpec, ...] = ()
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}


class Pool(Record):
    """Where the addresses of one family on a network come from.

    is_given  the subnet is the user's choice, not ours
    reserved  addresses that no container is given
    """

    subnet: Range
    is_given: bool
    ip_range: Range | None
    gateway: Address
    reserved: Mapping[str, Address] = {}

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.subnet.version

    @property
    def range(self) -> tuple[str, int]:
        """First address and prefix length of the subnet."""
        return str(self.subnet.network_address), self.subnet.prefixlen


class Network(Record):
    """A network as recorded.

    device      in the host's namespace: its bridge, or what its containers' links sit on
    created_at  seconds since the epoch
    """

    id: str
    name: str
    driver: str
    device: str
    pools: tuple[Pool, ...]
    internal: bool
    labels: Mapping[str, str]
    options: Mapping[str, str]
    created_at: float
    attachable: bool = False

    def pool(self, family: int) -> Pool | None:
        """The pool of a family (4 or 6), or None."""
        return next((pool for pool in self.pools if pool.family == family), None)

    @property
    def choices(self) -> BridgeOptions:
        """What its options come to."""
        return read_bridge_options(self.name, self.options, internal=self.internal)


def network_of(row: sqlite3.Row, pools: Iterable[sqlite3.Row]) -> Network:
    """The network of a row of `networks` and its rows of `pools`, IPv4 first."""
    return Network(
        id=row["id"],
        name=row["name"],
        driver=row["driver"],
        device=row["device"],
        pools=tuple(_pool_of(one) for one in pools),
        internal=bool(row["internal"]),
        labels=json.loads(row["labels"]),
        options=json.loads(row["options"]),
        created_at=row["created_at"],
        attachable=bool(row["attachable"]),
    )


def _pool_of(row: sqlite3.Row) -> Pool:
    ip_range = row["ip_range"]
    reserved = json.loads(row["reserved"])
    return Pool(
        subnet=ipaddress.ip_network(row["subnet"]),
        is_given=bool(row["given"]),
        ip_range=ipaddress.ip_network(ip_range) if ip_range else None,
        gateway=ipaddress.ip_address(row["gateway"]),
        reserved={name: ipaddress.ip_address(text) for name, text in reserved.items()},
    )
