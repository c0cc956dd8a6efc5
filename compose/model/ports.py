"""Ports of a service."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal


class Port(Record):
    """One published port (Compose: services.ports).

    target     port inside the container
    published  None: an ephemeral one; (8080, 8080): that one; (8000, 8010): the first that is free
    host_ip    address of the host it is published on; None: all of them
    mode, name, app_protocol   kept for `config`; without effect on one machine
    """

    target: int
    published: tuple[int, int] | None = None
    protocol: Literal["tcp", "udp", "sctp"] = "tcp"
    host_ip: str | None = None
    mode: str = "ingress"
    name: str | None = None
    app_protocol: str | None = None
