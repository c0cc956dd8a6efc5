"""`x-buoy: {publish: loopback}`: who can reach the published ports, of a project or a service."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from compose.model.project import Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compose.model.fields import Fields
    from compose.model.positions import Positions
    from compose.model.service import Service

LOOPBACK = "loopback"


def read_publish(fields: Fields) -> str | None:
    """`loopback`: this host alone; `written`: as `ports` says; None where nothing is said."""
    return fields.inside("x-buoy").text("publish")


def loopback_notices(services: Iterable[Service], positions: Positions) -> Iterator[Notice]:
    """Where `loopback` goes before what is written, and where it keeps nobody out."""
    for service in services:
        if not service.loopback:
            continue
        for index, port in enumerate(service.ports):
            if port.host_ip and not ipaddress.ip_address(port.host_ip).is_loopback:
                path = f"services.{service.name}.ports[{index}]"
                what = f"`{path}`: published for this host alone, not on {port.host_ip}"
                yield Notice(code="loopback", what=what, where=positions.find(path))
        if service.network_mode == "host":
            what = f"`{service.name}` is on the host's network: loopback keeps nobody from it"
            where = positions.find(f"services.{service.name}.network_mode")
            yield Notice(code="loopback", what=what, where=where)
