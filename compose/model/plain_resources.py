"""Networks, volumes, secrets, configs and models as plain values in the words of a Compose file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.model.plain_parts import given, with_extensions

if TYPE_CHECKING:
    from compose.model.files import FileSource
    from compose.model.models import LanguageModel
    from compose.model.network import Network
    from compose.model.plain_parts import Plain
    from compose.model.volume import Volume


def plain_network(network: Network) -> Plain:
    """A network."""
    subnets = [one.given() for one in network.subnets if one.given()]
    ipam = given(driver=network.ipam_driver, options=dict(network.ipam_options), config=subnets)
    values = given(
        name=network.name,
        driver=None if network.driver == "bridge" else network.driver,
        driver_opts=dict(network.driver_opts),
        external=network.external,
        internal=network.internal,
        attachable=network.attachable,
        enable_ipv6=network.enable_ipv6,
        ipam=ipam or None,
        labels=dict(network.labels),
    )
    four = {} if network.enable_ipv4 else {"enable_ipv4": False}
    return with_extensions(values | four, network.extensions)


def plain_volume(volume: Volume) -> Plain:
    """A volume."""
    values = given(
        name=volume.name,
        driver=None if volume.driver == "local" else volume.driver,
        driver_opts=dict(volume.driver_opts),
        external=volume.external,
        labels=dict(volume.labels),
    )
    return with_extensions(values, volume.extensions)


def plain_source(source: FileSource) -> Plain:
    """A secret or config, without what is in it."""
    values = given(
        name=source.name,
        file=source.file,
        environment=source.environment,
        external=source.external,
        driver=source.driver,
        driver_opts=dict(source.driver_opts),
        template_driver=source.template_driver,
        labels=dict(source.labels),
    )
    return with_extensions(values, source.extensions)


def plain_model(model: LanguageModel) -> Plain:
    """A language model."""
    values = given(
        name=model.name,
        model=model.model,
        context_size=model.context_size,
        runtime_flags=list(model.runtime_flags),
    )
    return with_extensions(values, model.extensions)
