"""What is found of networks, as plain data.

States of what the kernel should have: `up`, `down` (there, and switched off), `missing` (somebody
took it away), and of links `unplugged`: not a port of their bridge.
"""

from __future__ import annotations

from engine.kernel.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from engine.network.exposure import Way

    State = Literal["up", "down", "missing", "unplugged"]
    Passing = Literal["translated", "relayed", "opened", "missing"]

HOST, OUTSIDE = "host", "outside"
PLUGGED = "plugged by hand"


class SeenEndpoint(Record):
    """One container on one network.

    addresses  with prefix lengths; none of a container that is not up
    link       its end at the host; "" where it has none
    """

    network: str
    interface: str = ""
    addresses: tuple[str, ...] = ()
    link: str = ""
    state: State = "up"


class SeenPort(Record):
    """A published port, and who passes it on: the kernel (`translated`), a `relayed` one our
    process; an `opened` one is the container's own, at its own address; `missing`: nobody does."""

    host_ip: str
    published: int
    target: int
    protocol: str
    way: Passing

    @property
    def is_local(self) -> bool:
        """Whether the host alone comes to it."""
        return self.host_ip.startswith("127.") or self.host_ip == "::1"


class SeenContainer(Record):
    """A container, running or not.

    shares      whose network namespace it is in: the id of a container, or HOST; "": its own
    ways_out    its interfaces that have a default route now
    """

    id: str
    name: str
    labels: Mapping[str, str]
    status: str
    pid: int | None
    shares: str
    endpoints: tuple[SeenEndpoint, ...]
    ports: tuple[SeenPort, ...]
    ways_out: tuple[str, ...]

    @property
    def is_up(self) -> bool:
        """Whether it has processes."""
        return self.pid is not None


class SeenNetwork(Record):
    """A network.

    driver       PLUGGED: a link of the host that containers were plugged into, no network of ours
    routed       the host is the router there
    gateways     the host's addresses on it, as its device has them
    icc          whether its containers reach each other
    unprotected  whoever has a route reaches all ports of its containers
    known        the firewall knows it, or need not
    """

    id: str
    name: str
    driver: str
    device: str
    state: State
    labels: Mapping[str, str]
    subnets: tuple[str, ...]
    gateways: tuple[str, ...]
    routed: bool
    internal: bool
    icc: bool
    unprotected: bool
    known: bool


class Reach(Record):
    """`source` reaches `target`: ids of containers, HOST or OUTSIDE.

    network  by it all ports; "": by `port` alone
    """

    source: str
    target: str
    network: str = ""
    port: SeenPort | None = None


class Topology(Record):
    """All of one engine's networks on this host, and the ways that others come to it by."""

    hostname: str
    ways: tuple[Way, ...]
    networks: tuple[SeenNetwork, ...]
    containers: tuple[SeenContainer, ...]
    reaches: tuple[Reach, ...] = ()
