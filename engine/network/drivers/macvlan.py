"""Containers as machines of their own on a network of the host's: a link with a MAC of its own
on top of a parent interface (engine.md B3.5).

The host does not see their traffic: it neither filters nor translates, and cannot reach them
itself (the kernel keeps a parent and its macvlans apart). Without a parent the containers are
among themselves: on a bridge that has no address, since links on top of a device without a
carrier have none either.
"""

from __future__ import annotations

import errno

from engine.errors import NetworkProblem
from engine.kernel import rtnetlink
from engine.kernel.netlink import NetlinkError
from engine.network.drivers import bridge, parents
from engine.network.drivers.driver import DeviceMissing
from engine.network.drivers.parents import create as create
from engine.network.drivers.parents import device_of as device_of
from engine.network.drivers.parents import find_faults as find_faults
from engine.network.drivers.parents import find_link_fault as find_link_fault
from engine.network.drivers.parents import is_internal as is_internal
from engine.network.drivers.parents import remove as remove
from engine.network.drivers.parents import replug as replug
from engine.network.drivers.parents import unplug as unplug
from engine.network.options import MTU

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.kernel.rtnetlink import RouteSocket
    from engine.network.spec import NetworkSpec

ROUTED = False
OPTION_MODE = "macvlan_mode"
_MODES = {
    "private": rtnetlink.MACVLAN_MODE_PRIVATE,
    "vepa": rtnetlink.MACVLAN_MODE_VEPA,
    "bridge": rtnetlink.MACVLAN_MODE_BRIDGE,
    "passthru": rtnetlink.MACVLAN_MODE_PASSTHRU,
}


def validate(spec: NetworkSpec) -> None:
    """`parent`: an interface of the host; `macvlan_mode`: how its containers see each other."""
    mode = spec.options.get(OPTION_MODE, "bridge")
    if mode not in _MODES:
        raise NetworkProblem(
            f"network {spec.name}: there is no macvlan mode `{mode}`",
            hint=f"there are {', '.join(sorted(_MODES))}",
            code="option-invalid",
        )
    parents.validate(spec)


def plug(host: RouteSocket, netns_fd: int, endpoint: Mapping[str, Any]) -> str:
    """The macvlan, made in the container's namespace."""
    if not parents.is_given(endpoint["options"]):
        return bridge.plug(host, netns_fd, endpoint)
    parent = host.find_link(endpoint["device"])
    if parent is None:
        raise DeviceMissing(endpoint["network"], endpoint["device"])
    mode = endpoint["options"].get(OPTION_MODE, "bridge")
    message = rtnetlink.macvlan(
        endpoint["interface"],
        parent=parent.index,
        mode=_MODES[mode],
        mac=endpoint["mac_address"],
        namespace=netns_fd,
        mtu=min(endpoint["mtu"], parent.mtu) if MTU in endpoint["options"] else parent.mtu,
    )
    try:
        host.send([message])
    except NetlinkError as error:
        if error.errno != errno.EBUSY:
            raise
        raise OSError(
            error.errno,
            f"network {endpoint['network']}: {endpoint['device']} cannot be the parent of a "
            f"macvlan in mode {mode}: it is a port of a bridge, or has other such links",
        ) from None
    return ""
