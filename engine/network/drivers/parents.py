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
from engine.network.options import read_bridge_options

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.kernel.rtnetlink import Link, RouteSocket
    from engine.network.spec import Network, NetworkSpec

OPTION_PARENT = "parent"
_ALIAS = "buoy parent "
_HIGHEST_VLAN = 4094


def validate(spec: NetworkSpec) -> None:
    """Of `eth0.50`, the number must be one of a VLAN. MTU and names are as of bridges."""
    read_bridge_options(spec.name, spec.options, internal=is_internal(spec))
    parent = spec.options.get(OPTION_PARENT, "")
    _, dot, vlan = parent.rpartition(".")
    if dot and not (vlan.isdigit() and 0 < int(vlan) <= _HIGHEST_VLAN):
        raise NetworkProblem(
            f"network {spec.name}: parent `{parent}`: `{vlan}` is not the number of a VLAN",
            hint=f"eth0, or eth0.N with N from 1 to {_HIGHEST_VLAN}",
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

    Raises NetworkProblem: `parent-missing`, `driver-unsupported`.
    """
    link = host.find_link(network.device)
    if link is None:
        link = _create(host, network)
    if not link.up:
        host.send([rtnetlink.link_up(link.index)])


def remove(host: RouteSocket, network: Network) -> None:
    """Take away what was made for this network; a parent of the host's stays."""
    link = host.find_link(network.device)
    if link is not None and link.alias == _ALIAS + network.id:
        host.send([rtnetlink.link_removal(link.index)])


def _create(host: RouteSocket, network: Network) -> Link:
    if not is_given(network.options):
        host.send([rtnetlink.bridge(network.device, bridge.random_mac(), network.choices.mtu)])
    else:
        _create_vlan(host, network)
    link = host.find_link(network.device)
    assert link is not None, "the kernel has just made it"
    host.send([rtnetlink.link_alias(link.index, _ALIAS + network.id)])
    return link


def _create_vlan(host: RouteSocket, network: Network) -> None:
    name, dot, number = network.device.rpartition(".")
    parent = host.find_link(name) if dot else None
    if parent is None:
        raise NetworkProblem(
            f"network {network.name}: the host has no interface `{name or network.device}`",
            hint="see `ip link`",
            code="parent-missing",
        )
    try:
        host.send([rtnetlink.vlan(network.device, parent=parent.index, number=int(number))])
    except NetlinkError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        raise NetworkProblem(
            f"network {network.name}: this kernel has no VLANs (802.1q)",
            hint="`modprobe 8021q` where the module is only not loaded",
            code="driver-unsupported",
        ) from None
