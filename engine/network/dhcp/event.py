"""What a DHCP client calls for every change of a lease, in the namespace of the container.

Both kinds of client say in their environment what has come: udhcpc in `ip`, `mask` and `router`,
dhclient in `new_ip_address`, `new_subnet_mask` and `new_routers`. Sources: networking/udhcp of
busybox, dhclient-script(8).
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys

from engine.kernel import rtnetlink
from engine.kernel.netlink import NetlinkError, accepting
from engine.kernel.rtnetlink import RouteSocket
from engine.network.dhcp.lease import Lease, read_lease_in, write_lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_REASON = "reason"
_BOUND = ("bound", "renew", "BOUND", "RENEW", "REBIND", "REBOOT")
_LOST = ("deconfig", "PREINIT", "EXPIRE", "FAIL", "RELEASE", "STOP")


def main(directory: str, record: str, interface: str) -> int:
    """`directory`: of the client; record: path of the launch record."""
    event = sys.argv[1] if len(sys.argv) > 1 else os.environ.get(_REASON, "")
    if event not in (*_BOUND, *_LOST):
        return 0
    lease = parse_lease(os.environ) if event in _BOUND else None
    with RouteSocket() as kernel:
        link = kernel.find_link(interface)
        if link is not None:
            _change_address(kernel, link.index, read_lease_in(directory), lease)
            fixed = _default_routes(record)
            wanted = lease.gateway if lease else ""
            if any(one["plugged"] for one in fixed) or not _lead(kernel, wanted, link.index):
                _restore(kernel, fixed)
    write_lease(directory, lease)
    return 0


def _lead(kernel: RouteSocket, gateway: str, index: int) -> bool:
    """Whether there is a default route now; none where the server names nobody that is near."""
    if not gateway:
        return False
    try:
        kernel.send([rtnetlink.default_route(gateway, index, replaces=True)])
    except NetlinkError as error:
        if error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL):
            raise
        return False
    return True


def parse_lease(environment: Mapping[str, str]) -> Lease | None:
    """None where there is no usable address. What comes from a server may be anything."""
    address = environment.get("ip") or environment.get("new_ip_address", "")
    mask = environment.get("subnet") or environment.get("new_subnet_mask", "255.255.255.0")
    routers = (environment.get("router") or environment.get("new_routers", "")).split()
    try:
        for text in (address, mask, *routers[:1]):
            socket.inet_pton(socket.AF_INET, text)
    except OSError:
        return None
    length = int.from_bytes(socket.inet_aton(mask), "big").bit_count()
    return Lease(address=f"{address}/{length}", gateway=routers[0] if routers else "")


def _change_address(
    kernel: RouteSocket, index: int, before: Lease | None, lease: Lease | None
) -> None:
    if before is not None and (lease is None or lease.address != before.address):
        address, _, length = before.address.partition("/")
        with accepting(errno.EADDRNOTAVAIL):
            kernel.send([rtnetlink.link_address_removal(index, address, int(length))])
    if lease is not None:
        address, _, length = lease.address.partition("/")
        kernel.send([rtnetlink.link_address(index, address, int(length))])


def _default_routes(record: str) -> list[dict[str, Any]]:
    """Of IPv4, those that the container has where no server gives one: `interface`, `gateway`,
    and whether it goes before what a server gives."""
    with open(record, encoding="utf-8") as file:
        network = json.load(file)["buoy"]["network"]
    return [
        {"interface": one["interface"], "gateway": place["gateway"], "plugged": plugged}
        for key, plugged in (("endpoints", False), ("plugs", True))
        for one in network[key]
        for place in one["addresses"]
        if place["default_route"] and ":" not in place["gateway"]
    ]


def _restore(kernel: RouteSocket, routes: list[dict[str, Any]]) -> None:
    for route in routes:
        link = kernel.find_link(route["interface"])
        if link is not None:
            with accepting(errno.EEXIST):
                kernel.send([rtnetlink.default_route(route["gateway"], link.index)])
