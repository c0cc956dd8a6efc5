"""Networks and volumes of a project, as the engine is asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose import __version__
from compose.reconcile import names

if TYPE_CHECKING:
    from compose.model import Network, Project, Volume
    from engine import Engine, PoolSpec


def create_network(engine: Engine, project: Project, name: str) -> None:
    """Make the network that the file means by `name` (the engine's name, not the key)."""
    from engine import NetworkSpec

    network = next(one for one in project.networks.values() if one.name == name)
    engine.networks.create(
        NetworkSpec(
            name=network.name,
            driver=network.driver,
            internal=network.internal,
            attachable=network.attachable,
            ipv4=network.enable_ipv4,
            ipv6=network.enable_ipv6,
            pools=_pools(network),
            options=network.driver_opts,
            labels=_labels(project, network, names.NETWORK),
        )
    )


def _pools(network: Network) -> tuple[PoolSpec, ...]:
    from engine import PoolSpec

    return tuple(
        PoolSpec(
            subnet=one.subnet,
            gateway=one.gateway,
            ip_range=one.ip_range,
            reserved=one.aux_addresses,
        )
        for one in network.subnets
        if one.subnet is not None
    )


def create_volume(engine: Engine, project: Project, name: str) -> None:
    """Make the volume that the file means by `name`."""
    volume = next(one for one in project.volumes.values() if one.name == name)
    engine.volumes.create(
        volume.name,
        driver=volume.driver,
        options=volume.driver_opts,
        labels=_labels(project, volume, names.VOLUME),
    )


def _labels(project: Project, made: Network | Volume, kind: str) -> dict[str, str]:
    """Its own, and those by which Compose knows it; `kind` is the label of its key."""
    return {
        **made.labels,
        names.PROJECT: project.name,
        kind: made.key,
        names.CONFIG_HASH: made.digest,
        names.VERSION: __version__,
    }
