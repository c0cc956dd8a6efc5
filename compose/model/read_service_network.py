"""Where a service is in the network: which networks, which names, whose servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import Conflict
from compose.model.network import ServiceNetwork
from compose.model.read_network import check_mac_address, read_service_network

if TYPE_CHECKING:
    from compose.model.fields import Fields


def read_networks(fields: Fields) -> dict[str, ServiceNetwork]:
    """The networks of a service, the default one where it names none."""
    _check_addresses(fields)
    mode = fields.text("network_mode")
    if mode is not None:
        if fields.tree.get("networks"):
            what = f"{fields.name()}: `network_mode` and `networks` exclude each other"
            fields.note(Conflict, what, "network_mode")
        kind, _, name = mode.partition(":")
        if mode not in ("none", "host", "bridge") and not (
            kind in ("service", "container") and name
        ):
            hint = "`bridge`, `none`, `host`, `service:NAME` and `container:NAME` are"
            fields.not_built(f"`{mode}`", "network_mode", hint=hint)
        return {}
    places = {key: read_service_network(place) for key, place in fields.named("networks")}
    if not places and "provider" not in fields:
        return {"default": ServiceNetwork()}
    return places


def _check_addresses(fields: Fields) -> None:
    """The address of the card is that of the first network, which may say it, too."""
    check_mac_address(fields)
    own = fields.text("mac_address")
    places = [place.text("mac_address") for _, place in fields.named("networks")]
    if own and any(places) and own not in places:
        what = f"{fields.name('mac_address')} differs from that in `networks`"
        fields.note(Conflict, what, "mac_address")
