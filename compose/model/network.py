"""Networks of a project, and a service's place on one."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Network(Record):
    """One network (Compose: networks.<key>).

    key       its name in the file
    name      its name in the engine: `<project>_<key>` unless the file says another
    external  made by somebody else: neither created nor removed
    digest    of all that decides how it is made; a network with another one is made anew
    """

    key: str
    name: str
    external: bool = False
    internal: bool = False
    driver: str = "bridge"
    driver_opts: Mapping[str, str] = {}
    subnet: str | None = None
    gateway: str | None = None
    ip_range: str | None = None
    attachable: bool = False
    labels: Mapping[str, str] = {}
    digest: str = ""


class ServiceNetwork(Record):
    """A service's place on one network (Compose: services.networks.<key>).

    aliases       names beside the service's and the container's
    priority      order of connection, highest first
    gw_priority   the highest of a container gives the default route
    """

    aliases: tuple[str, ...] = ()
    ipv4_address: str | None = None
    mac_address: str | None = None
    priority: int = 0
    gw_priority: int = 0
