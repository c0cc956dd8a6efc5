"""As macvlan, with the MAC of the parent: for networks that allow one MAC a port
(engine.md B3.5).

Mode `l2` is a switch on the parent, `l3` and `l3s` route: then the default route needs no
gateway.
"""

from __future__ import annotations

import errno
import os

from engine.errors import NetworkProblem
from engine.kernel import rtnetlink
from engine.kernel.netlink import NetlinkError
from engine.network.drivers import bridge, parents
from engine.network.drivers.driver import DeviceMissing
from engine.network.drivers.parents import device_of as device_of
from engine.network.drivers.parents import find_faults as find_faults
from engine.network.drivers.parents import find_link_fault as find_link_fault
from engine.network.drivers.parents import is_internal as is_internal
from engine.network.drivers.parents import remove as remove
from engine.network.drivers.parents import replug as replug
from engine.network.drivers.parents import unplug as unplug

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.kernel.rtnetlink import RouteSocket
    from engine.network.spec import Network, NetworkSpec

ROUTED = False
OPTION_MODE, OPTION_FLAG = "ipvlan_mode", "ipvlan_flag"
_MODES = {"l2": 0, "l3": 1, "l3s": 2}  # include/uapi/linux/if_link.h
_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}


def validate(spec: NetworkSpec) -> None:
    """`parent`, `ipvlan_mode`, `ipvlan_flag`."""
    for option, known, default in ((OPTION_MODE, _MODES, "l2"), (OPTION_FLAG, _FLAGS, "bridge")):
        value = spec.options.get(option, default)
        if value not in known:
            raise NetworkProblem(
                f"network {spec.name}: {option} cannot be `{value}`",
                hint=f"there are {', '.join(known)}",
                code="option-invalid",
            )
    parents.validate(spec)


def create(host: RouteSocket, network: Network) -> None:
    """The parent, where there has to be one made; the kernel must have ipvlan."""
    parents.create(host, network)
    if not parents.is_given(network.options):
        return
    try:
        parent = host.find_link(network.device)
        assert parent is not None, "it was found or made above"
        probe(host, parent.index, f"network {network.name}")
    except BaseException:
        parents.remove(host, network)
        raise


def plug(host: RouteSocket, netns_fd: int, endpoint: Mapping[str, Any]) -> str:
    """The ipvlan, made in the container's namespace."""
    if not parents.is_given(endpoint["options"]):
        return bridge.plug(host, netns_fd, endpoint)
    parent = host.find_link(endpoint["device"])
    if parent is None:
        raise DeviceMissing(endpoint["network"], endpoint["device"])
    options = endpoint["options"]
    message = rtnetlink.ipvlan(
        endpoint["interface"],
        parent=parent.index,
        mode=_MODES[options.get(OPTION_MODE, "l2")],
        flags=_FLAGS[options.get(OPTION_FLAG, "bridge")],
        namespace=netns_fd,
    )
    host.send([message])
    return ""


def probe(host: RouteSocket, parent: int, user: str) -> None:
    """Make a link and take it away: a kernel without ipvlan must say so now, not at `up`.

    user   who wants it, as `network lan`

    Raises NetworkProblem `driver-unsupported`.
    """
    name = f"iv{os.urandom(5).hex()}"
    try:
        host.send([rtnetlink.ipvlan(name, parent=parent, mode=0, flags=0)])
    except NetlinkError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        raise NetworkProblem(
            f"{user}: this kernel has no ipvlan",
            hint="macvlan does the same with a MAC for each container; or `modprobe ipvlan` where "
            "the module is only not loaded",
            code="driver-unsupported",
        ) from None
    link = host.find_link(name)
    if link is not None:
        host.remove_link(link.index)
