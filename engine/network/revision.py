"""The reserved ports of a container whose networks change while it runs.

Each keeps its number. What changes is where it is bound, and who answers there: the kernel, by
its maps, or a relay, which takes clients by the very socket that reserves the port.
"""

from __future__ import annotations

from engine.network import ports
from engine.network.ports import Reservation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Revision:
    """From the reservations that there are to those that are wanted: `settle` or `undo` it.

    wanted   ports of the launch record
    after    the reservations as they will be; sockets that stay are shared with those before

    Raises ports.PortTaken or OSError, with nothing changed.
    """

    def __init__(self, before: Sequence[Reservation], wanted: Sequence[Mapping[str, Any]]) -> None:
        self._before = before
        self._fresh: list[Reservation] = []
        self.after: list[Reservation] = []
        left = list(before)
        try:
            for port in wanted:
                self.after += self._revised(port, left)
        except BaseException:
            self.undo()
            raise

    def settle(self) -> None:
        """For good: sockets that are wanted no more are closed, others take clients or do not."""
        kept = {one.socket: one for one in self.after}
        for one in self._before:
            if one.socket not in kept:
                one.close()
            elif kept[one.socket].relayed != one.relayed:
                ports.set_taking(one.socket, one.protocol, takes_clients=not one.relayed)

    def undo(self) -> None:
        """As it was before; may be repeated."""
        ports.close(self._fresh)

    def _revised(self, port: Mapping[str, Any], left: list[Reservation]) -> list[Reservation]:
        """Of one port; what it keeps is taken out of `left`."""
        held = _of_port(port, left)
        if not held:
            fresh = ports.reserve([port])
            self._fresh += fresh
            return fresh
        found = []
        for binding in port["bindings"]:
            same = next((one for one in held if one.host_ip == binding["host_ip"]), None)
            if same is None:
                made = ports.reserve_binding(port, binding, held[0].published)
                self._fresh += made
                found += made
            else:
                relayed = binding["relayed"]
                found.append(
                    Reservation(
                        same.socket, same.protocol, same.host_ip, same.target, relayed=relayed
                    )
                )
        return found


def _of_port(port: Mapping[str, Any], left: list[Reservation]) -> list[Reservation]:
    """The reservations of the next port like it: all under one number."""
    alike = [
        one for one in left if (one.protocol, one.target) == (port["protocol"], port["target"])
    ]
    held = [one for one in alike if one.published == alike[0].published]
    for one in held:
        left.remove(one)
    return held
