"""firewalld, which rejects what is forwarded between interfaces that it does not know.

A bridge of ours is put into its zone `trusted`: what is published it lets through anyway. Now,
and in what is permanent: nobody of ours would hear of a reload, which forgets the former. A
bridge that the user has put into a zone stays there.
"""

from __future__ import annotations

import contextlib

from engine.network.bus import Bus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.kernel.nftables import Chain

_ZONE = "trusted"
_NAME = "org.fedoraproject.FirewallD1"
_PATH = "/org/fedoraproject/FirewallD1"
_TABLE, _CHAIN_OF_IPTABLES = "firewalld", "FORWARD_direct"


def is_active(chains: Sequence[Chain]) -> bool:
    """Whether its rules are there, in tables of its own or in those of iptables."""
    return any(chain.table == _TABLE or chain.name == _CHAIN_OF_IPTABLES for chain in chains)


def find_faults(bridge: str) -> list[str]:
    """Whether it keeps the traffic of a bridge from passing, in plain words. Changes nothing."""
    with contextlib.suppress(OSError), Bus() as bus:  # else: `unanswered`
        if _missing(bus, bridge):
            return [f"firewalld does not have {bridge} in its zone {_ZONE}"]
    return []


def unanswered(bridge: str) -> Iterator[tuple[str, str]]:
    """Whether it cannot be asked, although its rules are there; what to do about it."""
    try:
        with Bus() as bus:
            bus.call(_NAME, _PATH, _NAME, "getDefaultZone")
    except OSError as error:
        yield (
            f"the rules of firewalld are there, and it cannot be asked ({error})",
            f"`firewall-cmd --permanent --zone={_ZONE} --add-interface={bridge}`, and then "
            "`firewall-cmd --reload`, let its traffic through",
        )


def admit(bridge: str) -> None:
    """Let the traffic of a bridge pass; may be repeated. Accepts that nobody answers."""
    with contextlib.suppress(OSError), Bus() as bus:
        for where in _missing(bus, bridge):
            where.add(bus, bridge)


def dismiss(bridge: str) -> None:
    """Take a bridge out again; accepts absence, and that nobody answers."""
    with contextlib.suppress(OSError), Bus() as bus:
        for where in (_Now(), _Permanent(bus)):
            if where.has(bus, bridge):
                where.remove(bus, bridge)


class _Now:
    """What is in force until the next reload."""

    def has(self, bus: Bus, bridge: str) -> bool:
        return self._ask(bus, "getZoneOfInterface", bridge) == _ZONE

    def add(self, bus: Bus, bridge: str) -> None:
        self._ask(bus, "addInterface", _ZONE, bridge)

    def remove(self, bus: Bus, bridge: str) -> None:
        self._ask(bus, "removeInterface", _ZONE, bridge)

    def is_chosen(self, bus: Bus, bridge: str) -> bool:
        """Whether the user has put it elsewhere, or all that is nowhere into the zone."""
        zone = self._ask(bus, "getZoneOfInterface", bridge)
        default = bus.call(_NAME, _PATH, _NAME, "getDefaultZone")
        return zone not in ("", _ZONE) or default == _ZONE

    def _ask(self, bus: Bus, method: str, *given: str) -> str | int:
        return bus.call(_NAME, _PATH, f"{_NAME}.zone", method, *given)


class _Permanent:
    """What is in force after the next one."""

    def __init__(self, bus: Bus) -> None:
        config = (_NAME, f"{_PATH}/config", f"{_NAME}.config")
        self._zone = str(bus.call(*config, "getZoneByName", _ZONE))

    def has(self, bus: Bus, bridge: str) -> bool:
        return bool(self._ask(bus, "queryInterface", bridge))

    def add(self, bus: Bus, bridge: str) -> None:
        self._ask(bus, "addInterface", bridge)

    def remove(self, bus: Bus, bridge: str) -> None:
        self._ask(bus, "removeInterface", bridge)

    def _ask(self, bus: Bus, method: str, *given: str) -> str | int:
        return bus.call(_NAME, self._zone, f"{_NAME}.config.zone", method, *given)


def _missing(bus: Bus, bridge: str) -> list[_Now | _Permanent]:
    now = _Now()
    if now.is_chosen(bus, bridge):
        return []
    return [where for where in (now, _Permanent(bus)) if not where.has(bus, bridge)]
