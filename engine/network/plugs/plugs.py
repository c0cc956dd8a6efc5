"""Interfaces that users of one engine plug into containers, beside those of their networks."""

from __future__ import annotations

from engine.kernel.rtnetlink import RouteSocket
from engine.network.plugs import devices
from engine.network.plugs.record import described_plugs

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from typing import Any

    from engine.containers.spec import ContainerSpec
    from engine.network.finding import Finding
    from engine.state.paths import Roots


class Plugs:
    """What the containers on record have plugged in, and the devices of the host it is in."""

    def __init__(self, roots: Roots, database: sqlite3.Connection) -> None:
        self._roots, self._database = roots, database

    def describe(
        self, container_id: str, hostname: str, spec: ContainerSpec
    ) -> list[dict[str, Any]]:
        """`plugs` of a container's launch record. The devices are there afterwards. Raises
        NetworkProblem."""
        run_directory = self._roots.container_run(container_id)
        with RouteSocket() as host:
            return described_plugs(
                host, spec.plugs, self._roots.kernel_name, run_directory, hostname
            )

    def find_lost(self) -> list[Finding]:
        """Devices that are gone, or down. Changes nothing."""
        return devices.find_lost(self._database)

    def restore_lost(self) -> list[Finding]:
        """Make them again; those that could not be."""
        return devices.restore_lost(self._database, self._roots.kernel_name)

    def sweep_unused(self) -> None:
        """Remove the bridges and VLANs that were made for interfaces which no container has now."""
        devices.sweep_unused(self._database, self._roots.kernel_name)
