"""Forwarding: without it no container reaches anything beyond the host (engine.md B4.9).

Where it was off, the host was no router, and must not become one between its own links because
containers came: these are guarded in the firewall. They are remembered in files of the run
root, which go at reboot, as the setting does.
"""

from __future__ import annotations

import contextlib
import os

from engine.kernel.nftexpressions import IPV4, IPV6
from engine.kernel.rtnetlink import LOOPBACK_INDEX
from engine.kernel.settings import read_setting, write_setting

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.kernel.nftexpressions import Header
    from engine.kernel.rtnetlink import RouteSocket
    from engine.network.firewall import Firewall
    from engine.state.paths import Roots

# the last one decides whether it was on: of IPv6, both are needed
_SYSCTLS = {
    IPV4.family: ("ipv4/ip_forward",),
    IPV6.family: ("ipv6/conf/default/forwarding", "ipv6/conf/all/forwarding"),
}
_MARKERS = {IPV4.family: "guarded-uplinks", IPV6.family: "guarded-uplinks6"}
_ACCEPT_EVEN_WHEN_FORWARDING = "2"


def find_faults(header: Header) -> list[str]:
    """Whether the host forwards, in plain words. Changes nothing."""
    name = _SYSCTLS[header.family][-1]
    return [f"{_shown(name)} is 0"] if _read(name) == "0" else []


def find_unguarded(roots: Roots, firewall: Firewall, header: Header) -> list[str]:
    """Whether it keeps its own links apart, in plain words. Changes nothing."""
    links = firewall.unguarded(_guarded(roots, header) or (), header)
    return [f"{link} is not kept apart from the host's other links any more" for link in links]


def ensure_forwarding(
    roots: Roots, host: RouteSocket, firewall: Firewall, header: Header
) -> list[str]:
    """Forwarding on; what was changed in plain words. May be repeated."""
    names = _SYSCTLS[header.family]
    if _read(names[-1]) != "0":  # absent: a kernel without that IP version
        return []
    uplinks = [
        link.name
        for link in host.links()
        if link.index != LOOPBACK_INDEX and link.kind != "bridge" and not link.master
    ]
    _remember(_marker(roots, header), uplinks)
    firewall.guard_uplinks(uplinks, header)  # before, or the host is a router for a moment
    advertised = _keep_advertised_routes(uplinks) if header is IPV6 else []
    for name in names:
        _write(name, "1")
    return [
        f"{_shown(names[-1])} was 0 and is 1 now, for the containers; between the host's own "
        f"links ({', '.join(uplinks) or 'none'}) nothing is forwarded",
        *(f"{_shown(name)} was 1 and is 2 now: 1 has no effect any more" for name in advertised),
    ]


def restore_guard(roots: Roots, firewall: Firewall, header: Header) -> None:
    """Guard the links again that were guarded before somebody changed the firewall."""
    uplinks = firewall.unguarded(_guarded(roots, header) or (), header)
    if uplinks:
        firewall.guard_uplinks(uplinks, header)


def give_up_forwarding(roots: Roots, host: RouteSocket) -> None:
    """The last network is gone: off again if we turned it on and nobody has come to need it."""
    for header in (IPV4, IPV6):
        uplinks = _guarded(roots, header)
        if uplinks is None:
            continue
        others = {link.name for link in host.links() if link.index != LOOPBACK_INDEX}
        if not others - set(uplinks):
            for name in _SYSCTLS[header.family]:
                _write(name, "0")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_marker(roots, header))


def _keep_advertised_routes(uplinks: Sequence[str]) -> list[str]:
    """A host that forwards takes no more router advertisements, unless told to: its own default
    route would expire. The settings that were changed."""
    names = [f"ipv6/conf/{link}/accept_ra" for link in uplinks]
    changed = [name for name in names if _read(name) == "1"]
    for name in changed:
        _write(name, _ACCEPT_EVEN_WHEN_FORWARDING)
    return changed


def _remember(marker: str, uplinks: Sequence[str]) -> None:
    """In one step: a part of them would leave the others unguarded."""
    os.makedirs(os.path.dirname(marker), mode=0o711, exist_ok=True)
    fresh = f"{marker}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in uplinks)
    os.rename(fresh, marker)


def _guarded(roots: Roots, header: Header) -> list[str] | None:
    try:
        with open(_marker(roots, header), encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return None


def _marker(roots: Roots, header: Header) -> str:
    return f"{roots.run_root}/networks/{_MARKERS[header.family]}"


def _shown(name: str) -> str:
    return f"net.{name.replace('/', '.')}"


def _read(name: str) -> str:
    try:
        return read_setting(f"/proc/sys/net/{name}")
    except FileNotFoundError:
        return ""


def _write(name: str, value: str) -> None:
    write_setting(f"/proc/sys/net/{name}", value)
