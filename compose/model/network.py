"""Networks of a project, and a service's place on one."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Subnet(Record):
    """Addresses of a network (Compose: networks.<key>.ipam.config).

    aux_addresses   name -> address that is given to no container
    """

    subnet: str | None = None
    gateway: str | None = None
    ip_range: str | None = None
    aux_addresses: Mapping[str, str] = {}


class Network(Record):
    """One network (Compose: networks.<key>).

    key       its name in the file
    name      its name in the engine: `<project>_<key>` unless the file says another
    subnets   at most one of each IP version is honoured
    external  made by somebody else: neither created nor removed
    digest    of all that decides how it is made; a network with another one is made anew
    """

    key: str
    name: str
    external: bool = False
    internal: bool = False
    driver: str = "bridge"
    driver_opts: Mapping[str, str] = {}
    subnets: tuple[Subnet, ...] = ()
    ipam_driver: str | None = None
    ipam_options: Mapping[str, str] = {}
    attachable: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    labels: Mapping[str, str] = {}
    extensions: Mapping[str, Any] = {}
    digest: str = ""


class ServiceNetwork(Record):
    """A service's place on one network (Compose: services.networks.<key>).

    aliases       names beside the service's and the container's
    priority      order of connection, highest first
    gw_priority   the highest of a container gives the default route
    """

    aliases: tuple[str, ...] = ()
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    link_local_ips: tuple[str, ...] = ()
    mac_address: str | None = None
    interface_name: str | None = None
    driver_opts: Mapping[str, str] = {}
    priority: int = 0
    gw_priority: int = 0
