"""Networks and volumes of a project, as the engine is asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose import __version__
from compose.reconcile import names

if TYPE_CHECKING:
    from compose.model import Project
    from engine import Engine


def create_network(engine: Engine, project: Project, name: str) -> None:
    """Make the network that the file means by `name` (the engine's name, not the key)."""
    from engine import NetworkSpec

    network = next(one for one in project.networks.values() if one.name == name)
    engine.networks.create(
        NetworkSpec(
            name=network.name,
            driver=network.driver,
            internal=network.internal,
            subnet=network.subnet,
            gateway=network.gateway,
            ip_range=network.ip_range,
            options=network.driver_opts,
            labels={
                **network.labels,
                names.PROJECT: project.name,
                names.NETWORK: network.key,
                names.CONFIG_HASH: network.digest,
                names.VERSION: __version__,
            },
        )
    )


def create_volume(engine: Engine, project: Project, name: str) -> None:
    """Make the volume that the file means by `name`."""
    volume = next(one for one in project.volumes.values() if one.name == name)
    engine.volumes.create(
        volume.name,
        driver=volume.driver,
        options=volume.driver_opts,
        labels={
            **volume.labels,
            names.PROJECT: project.name,
            names.VOLUME: volume.key,
            names.CONFIG_HASH: volume.digest,
            names.VERSION: __version__,
        },
    )
