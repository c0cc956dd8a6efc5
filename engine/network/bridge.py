"""The bridge of a network in the host's namespace, and the sysctls that go with it."""

from __future__ import annotations

import errno
import os

from engine.errors import NetworkProblem
from engine.kernel import rtnetlink
from engine.kernel.netlink import NetlinkError

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from engine.kernel.rtnetlink import Link, RouteSocket
    from engine.network.spec import Network

_SYSCTLS = (
    ("ipv4/conf/{}/route_localnet", "1"),  # published ports are reached from 127.0.0.1
    ("ipv6/conf/{}/accept_ra", "0"),
)
_ALIAS = "buoy network "


def ensure_bridge(host: RouteSocket, network: Network) -> int:
    """The bridge with its gateway address, up; its index. Up last, so that up means complete.

    Raises NetworkProblem `device-exists` where a device of that name is somebody else's.
    """
    link = host.find_link(network.bridge)
    if link is not None and not _is_ours(link, network):
        raise NetworkProblem(
            f"network {network.name}: there is a device {network.bridge} already",
            hint=f"see `ip -details link show {network.bridge}`",
            code="device-exists",
        )
    if link is None:
        link = _create(host, network)
    if not link.up:
        _write_sysctls(network)
        host.send(
            [
                rtnetlink.link_address(link.index, str(pool.gateway), pool.subnet.prefixlen)
                for pool in network.pools
            ]
        )
        host.send([rtnetlink.link_up(link.index)])
    return link.index


def _is_ours(link: Link, network: Network) -> bool:
    """By its name when that follows from the id; a name that the user chose proves nothing."""
    return link.name == default_name(network.id) or link.alias == _ALIAS + network.id


def default_name(network_id: str) -> str:
    """`br-` and 12 of the id: within the 15 bytes that an interface name may have."""
    return f"br-{network_id[:12]}"


def is_up(host: RouteSocket, network: Network) -> bool:
    """Whether the bridge is there and complete."""
    link = host.find_link(network.bridge)
    return link is not None and link.up


def remove_bridge(host: RouteSocket, network: Network) -> None:
    """Delete the bridge if it is ours; accepts absence."""
    link = host.find_link(network.bridge)
    if link is None or not _is_ours(link, network):
        return
    try:
        host.send([rtnetlink.link_removal(link.index)])
    except NetlinkError as error:
        if error.errno != errno.ENODEV:
            raise


def _create(host: RouteSocket, network: Network) -> Link:
    try:
        host.send([rtnetlink.bridge(network.bridge, random_mac(), network.mtu)])
    except NetlinkError as error:
        if error.errno != errno.EEXIST:  # another command was faster
            raise
    link = host.find_link(network.bridge)
    assert link is not None, "the kernel has just made it"
    host.send([rtnetlink.link_alias(link.index, _ALIAS + network.id)])  # not taken at creation
    return link


def random_mac() -> str:
    """A local unicast MAC."""
    first, *rest = os.urandom(6)
    return ":".join(f"{byte:02x}" for byte in ((first & 0xFC) | 0x02, *rest))


def _write_sysctls(network: Network) -> None:
    without_ipv6 = "1" if network.pool(6) is None else "0"
    for name, value in (*_SYSCTLS, ("ipv6/conf/{}/disable_ipv6", without_ipv6)):
        path = f"/proc/sys/net/{name.format(network.bridge)}"
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(value)
        except FileNotFoundError:  # a kernel without IPv6
            continue
