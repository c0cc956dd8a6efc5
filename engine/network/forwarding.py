"""ip_forward: without it no container reaches anything beyond the host (engine.md B4.9).

Where it was off, the host was no router, and must not become one between its own links because
containers came: these are guarded in the firewall. They are remembered in a file of the run
root, which goes at reboot, as the setting does.
"""

from __future__ import annotations

import contextlib
import os

from engine.kernel.rtnetlink import LOOPBACK_INDEX

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from engine.kernel.rtnetlink import RouteSocket
    from engine.network.firewall import Firewall
    from engine.state.paths import Roots

_SYSCTL = "/proc/sys/net/ipv4/ip_forward"


def ensure_forwarding(roots: Roots, host: RouteSocket, firewall: Firewall) -> str | None:
    """Forwarding on; what was changed in plain words, None when it was on. May be repeated."""
    if _read() == "1":
        return None
    uplinks = [
        link.name
        for link in host.links()
        if link.index != LOOPBACK_INDEX and link.kind != "bridge" and not link.master
    ]
    os.makedirs(os.path.dirname(_marker(roots)), mode=0o711, exist_ok=True)
    with open(_marker(roots), "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in uplinks)
    firewall.guard_uplinks(uplinks)  # before, or the host is a router for a moment
    _write("1")
    return (
        "net.ipv4.ip_forward was 0 and is 1 now, for the containers; between the host's own "
        f"links ({', '.join(uplinks) or 'none'}) nothing is forwarded"
    )


def restore_guard(roots: Roots, firewall: Firewall) -> None:
    """Guard the links again that were guarded before the firewall table was lost."""
    uplinks = _guarded(roots)
    if uplinks:
        firewall.guard_uplinks(uplinks)


def give_up_forwarding(roots: Roots, host: RouteSocket) -> None:
    """The last network is gone: off again if we turned it on and nobody has come to need it."""
    uplinks = _guarded(roots)
    if uplinks is None:
        return
    others = {link.name for link in host.links() if link.index != LOOPBACK_INDEX} - set(uplinks)
    if not others:
        _write("0")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_marker(roots))


def _guarded(roots: Roots) -> list[str] | None:
    try:
        with open(_marker(roots), encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return None


def _marker(roots: Roots) -> str:
    return f"{roots.run_root}/networks/guarded-uplinks"


def _read() -> str:
    with open(_SYSCTL, encoding="ascii") as file:
        return file.read().strip()


def _write(value: str) -> None:
    with open(_SYSCTL, "w", encoding="ascii") as file:
        file.write(value)
