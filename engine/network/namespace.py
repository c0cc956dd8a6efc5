"""The network namespace of a container, before anything is plugged into it."""

from __future__ import annotations

import contextlib
import os

from engine.kernel import rtnetlink
from engine.kernel.namespaces import joined_network, new_network, new_network_in
from engine.kernel.rtnetlink import RouteSocket
from engine.kernel.settings import write_setting
from engine.network.dns.listeners import Listeners

# (engine.md A7.2, B1.3, E16) those of `default` are copied by each link that comes in
_SYSCTLS = (
    ("ipv4/ping_group_range", "0 2147483647"),
    ("ipv4/ip_unprivileged_port_start", "0"),
    ("ipv4/conf/default/arp_notify", "1"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/accept_dad", "0"),  # or the first second is lost
    ("ipv6/conf/default/disable_ipv6", "1"),
)


def make_namespace(
    userns_fd: int | None, *, dns: bool
) -> tuple[int, RouteSocket, Listeners | None]:
    """One with loopback up: a descriptor of it, rtnetlink of it, and the sockets of its DNS.

    userns_fd  the user namespace that it shall belong to; None: the caller's

    The calling thread stays where it was; the process has no other. Raises OSError.
    """
    netns_fd = new_network() if userns_fd is None else new_network_in(userns_fd)
    with contextlib.ExitStack() as undoing:
        undoing.callback(os.close, netns_fd)
        with joined_network(netns_fd):
            _write_sysctls()
            inside = undoing.enter_context(RouteSocket())
            inside.send([rtnetlink.link_up(rtnetlink.LOOPBACK_INDEX)])
            listeners = Listeners.open() if dns else None
        undoing.pop_all()
    return netns_fd, inside, listeners


def _write_sysctls() -> None:
    for name, value in _SYSCTLS:
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
            write_setting(f"/proc/sys/net/{name}", value)
