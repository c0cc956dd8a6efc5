"""A bridge in the host's namespace; each container has a veth whose near end is a port of it.

The host is the router: it has the gateway address, translates, and filters (engine.md B1, B4).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket

from engine.errors import NetworkProblem
from engine.kernel import rtnetlink
from engine.kernel.netlink import NetlinkError, accepting
from engine.kernel.settings import read_setting, write_setting
from engine.network import options
from engine.network.drivers.driver import DeviceMissing
from engine.network.options import read_bridge_options

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from engine.kernel.rtnetlink import Link, RouteSocket
    from engine.network.spec import Network, NetworkSpec, Pool

    Setting = tuple[str, int, int]  # its file, and where it is among those of a link

ROUTED = True

# family and number of each: include/uapi/linux/{ip,ipv6}.h, DEVCONF
_ROUTE_LOCALNET = "ipv4/conf/{}/route_localnet", socket.AF_INET, 26
_ACCEPT_RA = "ipv6/conf/{}/accept_ra", socket.AF_INET6, 3
_ACCEPT_DAD = "ipv6/conf/{}/accept_dad", socket.AF_INET6, 27
_DISABLE_IPV6 = "ipv6/conf/{}/disable_ipv6", socket.AF_INET6, 26
_SYSCTL_ROOT = "/proc/sys/net"
_BRIDGE_FILTERS = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables")
_ALIAS = "buoy network "
_NAME_ATTEMPTS = 8


def validate(spec: NetworkSpec) -> None:
    """Docker's options of bridges (engine.network.options)."""
    read_bridge_options(spec.name, spec.options, internal=spec.internal, ipv6=spec.ipv6)


def is_internal(spec: NetworkSpec) -> bool:
    """As asked for."""
    return spec.internal


def device_of(network_id: str, spec: NetworkSpec) -> str:
    """As asked for, or after the id."""
    return spec.options.get(options.NAME) or default_name(network_id)


def create(host: RouteSocket, network: Network) -> None:
    """The bridge with its gateway addresses.

    Raises NetworkProblem `device-exists` where a device of that name is somebody else's.
    """
    link = host.find_link(network.device)
    if link is not None and not _is_ours(link, network):
        raise NetworkProblem(
            f"network {network.name}: {_others_device(network)}",
            hint=f"see `ip -details link show {network.device}`",
            code="device-exists",
        )
    if link is None:
        link = _create(host, network)
    for (name, _, _), value in _settings(network):
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
            write_setting(f"{_SYSCTL_ROOT}/{name.format(network.device)}", str(value))
    messages = [
        rtnetlink.link_address(link.index, str(pool.gateway), pool.subnet.prefixlen)
        for pool in _pools_with_gateway(network)
    ]
    host.send([*messages, rtnetlink.link_up(link.index)])  # up last: up means complete


def find_faults(host: RouteSocket, network: Network) -> list[str]:
    """Whether the bridge is there, is up, and has its addresses and settings."""
    device, link = network.device, host.find_link(network.device)
    if link is None:
        return [f"bridge {device} is gone"]
    if not _is_ours(link, network):
        return [_others_device(network)]
    if not link.up:
        return [f"bridge {device} is down"]
    there = {str(address) for address in host.addresses(link.index)}
    wanted = [f"{pool.gateway}/{pool.subnet.prefixlen}" for pool in _pools_with_gateway(network)]
    lost = [address for address in wanted if address not in there]
    return [
        *(f"bridge {device} has no {address} any more" for address in lost),
        *_wrong_settings(link, network),
    ]


def plug(host: RouteSocket, netns_fd: int, endpoint: Mapping[str, Any]) -> str:
    """A veth, its near end a port of the bridge."""
    bridge = host.find_link(endpoint["device"])
    if bridge is None:
        raise DeviceMissing(endpoint["network"], endpoint["device"])
    link = _make_pair(host, netns_fd, bridge.index, endpoint)
    isolated = endpoint["isolated"] and not is_filtered()
    hairpin = endpoint.get("hairpin", True)
    host.send([rtnetlink.port_up(link, isolated=isolated, hairpin=hairpin)])
    return link


def find_link_fault(host: RouteSocket, link: str, network: Network) -> str:
    """Whether it is a port of the bridge, and up."""
    found, bridge = host.find_link(link), host.find_link(network.device)
    if found is None:
        return f"link {link} is gone"
    if bridge is not None and found.master != bridge.index:
        return f"link {link} is no port of {network.device} any more"
    return "" if found.up else f"link {link} is down"


def replug(host: RouteSocket, link: str, network: Network) -> None:
    """Make it a port of the bridge again, and bring it up."""
    found, bridge = host.find_link(link), host.find_link(network.device)
    if found is None or bridge is None:
        return
    if found.master != bridge.index or not found.up:
        isolated = not network.choices.icc and not is_filtered()
        port = rtnetlink.port_up(link, isolated=isolated)
        host.send([rtnetlink.join_bridge(link, bridge.index), port])


def rejoin(host: RouteSocket, link: str, device: str) -> None:
    """The same for one that was plugged into a bridge by hand; accepts absence."""
    found, bridge = host.find_link(link), host.find_link(device)
    if found is not None and bridge is not None and found.master != bridge.index:
        port = rtnetlink.port_up(link, hairpin=False)
        host.send([rtnetlink.join_bridge(link, bridge.index), port])


def unplug(host: RouteSocket, link: str) -> None:
    """Both ends go with the near one."""
    found = host.find_link(link)
    if found is not None:
        host.remove_link(found.index)


def remove(host: RouteSocket, network: Network) -> None:
    """Delete the bridge if it is ours."""
    link = host.find_link(network.device)
    if link is not None and _is_ours(link, network):
        host.remove_link(link.index)


def default_name(network_id: str) -> str:
    """`br-` and 12 of the id: within the 15 bytes that an interface name may have."""
    return f"br-{network_id[:12]}"


def add_bridge(host: RouteSocket, name: str, mtu: int, alias: str) -> None:
    """A bridge, down, whose alias says whose it is; accepts that another command was faster."""
    with accepting(errno.EEXIST):
        host.send([rtnetlink.bridge(name, random_mac(), mtu), rtnetlink.link_alias(name, alias)])


def is_filtered() -> bool:
    """Whether frames between ports pass the firewall (br_netfilter).

    Then it is our rules that keep containers apart; an isolated port would also refuse what comes
    to it by a published port, since that is translated while it is still being bridged.
    """
    try:
        values = [read_setting(f"/proc/sys/net/bridge/{name}") for name in _BRIDGE_FILTERS]
    except FileNotFoundError:
        return False
    return values == ["1", "1"]


def random_mac() -> str:
    """A local unicast MAC."""
    first, *rest = os.urandom(6)
    return ":".join(f"{byte:02x}" for byte in ((first & 0xFC) | 0x02, *rest))


def _is_ours(link: Link, network: Network) -> bool:
    """By its name when that follows from the id; a name that the user chose proves nothing."""
    return link.name == default_name(network.id) or link.alias == _ALIAS + network.id


def _others_device(network: Network) -> str:
    return f"there is a device {network.device} already, which is not its bridge"


def _create(host: RouteSocket, network: Network) -> Link:
    add_bridge(host, network.device, network.choices.mtu, _ALIAS + network.id)
    link = host.find_link(network.device)
    assert link is not None, "the kernel has just made it"
    return link


def _make_pair(host: RouteSocket, netns_fd: int, bridge: int, endpoint: Mapping[str, Any]) -> str:
    for _ in range(_NAME_ATTEMPTS):
        link = f"veth{os.urandom(4).hex()[:7]}"
        pair = rtnetlink.veth(
            link,
            endpoint["interface"],
            master=bridge,
            peer_mac=endpoint["mac_address"],
            peer_namespace=netns_fd,
            mtu=endpoint["mtu"],
        )
        try:
            host.send([pair])  # alone: what follows must not touch a stranger of that name
        except NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
            continue
        return link
    raise NetlinkError(errno.EEXIST, f"veth for network {endpoint['network']}")


def _pools_with_gateway(network: Network) -> list[Pool]:
    return [pool for pool in network.pools if pool.family not in network.choices.inhibited]


def _settings(network: Network) -> Iterator[tuple[Setting, int]]:
    yield _ROUTE_LOCALNET, 1  # published ports are reached from 127.0.0.1
    yield _ACCEPT_RA, 0
    yield _ACCEPT_DAD, 0  # for a second its link-local address would be of no use
    yield _DISABLE_IPV6, int(network.pool(6) is None)


def _wrong_settings(link: Link, network: Network) -> Iterator[str]:
    for (name, family, number), value in _settings(network):
        found = link.setting(family, number)
        if found not in (value, None):  # None: a kernel without IPv6
            shown = name.format(link.name).replace("/", ".")
            yield f"net.{shown} is {found} and has to be {value}"
