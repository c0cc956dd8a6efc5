"""What macvlan and ipvlan have in common: the interface that their links sit on.

One of the host's (`parent: eth0`), one that is made for a VLAN of it (`parent: eth0.50`), or,
without the option, a bridge that nothing else is on.
"""

from __future__ import annotations

import errno

from engine.errors import NetworkProblem
from engine.kernel import rtnetlink
from engine.kernel.netlink import NetlinkError
from engine.network.drivers import bridge
from engine.network.options import MTU, is_interface_name, read_bridge_options

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.kernel.rtnetlink import Link, RouteSocket
    from engine.network.spec import Network, NetworkSpec

OPTION_PARENT = "parent"
_ALIAS = "buoy parent "
HIGHEST_VLAN = 4094


def validate(spec: NetworkSpec) -> None:
    """MTU and names are as of bridges; the parent is looked for when the network is made."""
    read_bridge_options(spec.name, spec.options, internal=is_internal(spec), ipv6=spec.ipv6)
    parent = spec.options.get(OPTION_PARENT) or "eth0"
    if parent == "lo" or not is_interface_name(parent):
        raise NetworkProblem(
            f"network {spec.name}: parent cannot be `{parent}`",
            hint="it is the name of an interface that leads somewhere, as eth0",
            code="option-invalid",
        )


def is_given(options: Mapping[str, str]) -> bool:
    """Whether the links sit on an interface of the host's."""
    return bool(options.get(OPTION_PARENT))


def device_of(network_id: str, spec: NetworkSpec) -> str:
    """The parent, or the bridge in its place."""
    return spec.options.get(OPTION_PARENT) or bridge.default_name(network_id)


def is_internal(spec: NetworkSpec) -> bool:
    """As asked for; and without a parent there is no way out."""
    return spec.internal or not is_given(spec.options)


def find_faults(host: RouteSocket, network: Network) -> list[str]:
    """Whether the parent is there, and up."""
    link = host.find_link(network.device)
    if link is None:
        return [f"parent {network.device} is gone"]
    return [] if link.up else [f"parent {network.device} is down"]


def find_link_fault(host: RouteSocket, link: str, network: Network) -> str:
    """On a bridge, as there; other links have no end at the host."""
    return bridge.find_link_fault(host, link, network) if link else ""


def replug(host: RouteSocket, link: str, network: Network) -> None:
    """On a bridge, as there; other links have gone with their parent."""
    if link:
        bridge.replug(host, link, network)


def unplug(host: RouteSocket, link: str) -> None:
    """On a bridge, as there; else there is nothing in the host's namespace."""
    if link:
        bridge.unplug(host, link)


def create(host: RouteSocket, network: Network) -> None:
    """Make what is not there; may be repeated.

    Raises NetworkProblem: `parent-missing`, `driver-unsupported`, `option-invalid`,
    `device-exists`.
    """
    link = host.find_link(network.device)
    if link is None:
        link = _create(host, network)
    elif MTU in network.options and network.choices.mtu > link.mtu:
        raise NetworkProblem(
            f"network {network.name}: {MTU} cannot be {network.choices.mtu}: its parent "
            f"{network.device} has {link.mtu}",
            hint="leave it out: its links have what the parent has",
            code="option-invalid",
        )
    if not link.up:
        host.send([rtnetlink.link_up(link.index)])


def remove(host: RouteSocket, network: Network) -> None:
    """Take away what was made for this network; a parent of the host's stays."""
    link = host.find_link(network.device)
    if link is not None and link.alias == _ALIAS + network.id:
        host.remove_link(link.index)


def _create(host: RouteSocket, network: Network) -> Link:
    if not is_given(network.options):
        bridge.add_bridge(host, network.device, network.choices.mtu, _ALIAS + network.id)
    else:
        _create_parent(host, network)
    link = host.find_link(network.device)
    assert link is not None, "the kernel has just made it"
    return link


def _create_parent(host: RouteSocket, network: Network) -> None:
    """There is no device of that name: it can only be a VLAN's that is still to be made."""
    user = f"network {network.name}"
    parent, dot, vlan = network.device.rpartition(".")
    if not dot:
        raise missing(network.device, user)
    if not is_vlan(vlan):
        raise NetworkProblem(
            f"{user}: parent `{network.device}` is not there, and `{vlan}` is not the number of a "
            "VLAN",
            hint=f"eth0, or eth0.N with N from 1 to {HIGHEST_VLAN}",
            code="option-invalid",
        )
    create_vlan(host, parent, int(vlan), user, _ALIAS + network.id)


def is_vlan(text: str) -> bool:
    """Whether that is the number of a VLAN."""
    return text.isdecimal() and 0 < int(text) <= HIGHEST_VLAN


def missing(parent: str, user: str) -> NetworkProblem:
    """There is no such device. `user`: who wants it, as `network lan`."""
    return NetworkProblem(
        f"{user}: the host has no interface `{parent}`", hint="see `ip link`", code="parent-missing"
    )


def create_vlan(host: RouteSocket, parent: str, number: int, user: str, alias: str) -> None:
    """The link `PARENT.NUMBER`, down, whose alias says whose it is. Raises NetworkProblem:
    `parent-missing`, `driver-unsupported`, `device-exists`.
    """
    link = host.find_link(parent)
    if link is None:
        raise missing(parent, user)
    name = f"{parent}.{number}"
    made = rtnetlink.vlan(name, parent=link.index, number=number)
    try:
        host.send([made, rtnetlink.link_alias(name, alias)])
    except NetlinkError as error:
        problem = _why_no_vlan(error.errno, parent, number, user)
        if problem is None:
            raise
        raise problem from None


def _why_no_vlan(code: int | None, parent: str, number: int, user: str) -> NetworkProblem | None:
    if code == errno.EOPNOTSUPP:
        return NetworkProblem(
            f"{user}: this kernel has no VLANs (802.1q)",
            hint="`modprobe 8021q` where the module is only not loaded",
            code="driver-unsupported",
        )
    if code == errno.EEXIST:  # there is one of a number for each parent, whatever its name
        return NetworkProblem(
            f"{user}: {parent} has a VLAN {number} already, by another name",
            hint="`ip -details link show type vlan` tells which: that can be the parent",
            code="device-exists",
        )
    return None
