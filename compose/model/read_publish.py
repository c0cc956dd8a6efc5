"""`x-buoy: {publish: loopback}`: who can reach the published ports, of a project or a service."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from compose.errors import InvalidValue, nearest
from compose.model.project import Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compose.model.fields import Fields
    from compose.model.positions import Positions
    from compose.model.service import Service

SECTION = "x-buoy"
LOOPBACK, WRITTEN = "loopback", "written"


def read_publish(fields: Fields) -> str | None:
    """`loopback`: this host alone; `written`: as `ports` says; None where nothing is said."""
    if SECTION not in fields:
        return None
    section = fields.given(SECTION)
    if section is None:
        what = f"{fields.name(SECTION)}: it has keys, as `publish: {LOOPBACK}`"
        fields.note(InvalidValue, what, SECTION)
        return None
    for key in section.tree:
        if key != "publish":
            what = f"{section.name(key)}: there is no such key"
            section.note(InvalidValue, what, key, hint=nearest(key, ("publish",)))
    wanted = section.text("publish")
    if wanted not in (None, LOOPBACK, WRITTEN):
        what = f"{section.name('publish')}: `{wanted}` is not one of {LOOPBACK}, {WRITTEN}"
        section.note(InvalidValue, what, "publish")
    return wanted


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
