"""What a container is found to be (Container): its record, and what the kernel says of it."""

from __future__ import annotations

from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from engine.containers.spec import Mount

    Status = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
    Health = Literal["starting", "healthy", "unhealthy"]


class PublishedPort(Record):
    """A port as it is really published now."""

    host_ip: str
    published: int
    target: int
    protocol: str


class Attachment(Record):
    """A container's place on one network."""

    network_id: str
    network: str
    addresses: tuple[str, ...]  # 172.18.0.2/16, fd3a:2b:1::2/64; IPv4 first
    gateways: tuple[str, ...]  # of each of these
    mac_address: str
    interface: str

    @property
    def address(self) -> str:
        """The first address, without its prefix length."""
        return self.addresses[0].partition("/")[0]


class Plugged(Record):
    """An interface of a container that was plugged in by hand.

    device     of the host, that it is a port of or sits on
    addresses  with prefix length; by DHCP, those of the lease, where there is one
    """

    interface: str
    device: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    mac_address: str | None
    dhcp: bool


class Container(Record):
    """One container as it is found."""

    id: str
    name: str
    image_id: str | None
    reference: str
    labels: Mapping[str, str]
    created_at: float
    status: Status
    command: tuple[str, ...] = ()  # argv as it runs
    pid: int | None = None  # of init, in the host's pid namespace
    exit_code: int | None = None
    previous_exit_code: int | None = None  # of the run before, where it was restarted by policy
    started_at: float | None = None
    finished_at: float | None = None
    health: Health | None = None
    restart_count: int = 0
    oom_killed: bool = False
    error: str | None = None
    ports: tuple[PublishedPort, ...] = ()
    exposed: tuple[tuple[int, str], ...] = ()  # (3306, "tcp"): what it listens on, as is said
    attachments: tuple[Attachment, ...] = ()
    plugged: tuple[Plugged, ...] = ()
    mounts: tuple[Mount, ...] = ()
    log_driver: str = "cri"
    discarded: tuple[tuple[str, str], ...] = ()  # (limit, why): those this host cannot set
