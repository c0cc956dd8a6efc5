"""Digests that tell whether what exists was made from what the files say now (cli.md 8)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from compose.model.plain import plain_network, plain_service, plain_volume

if TYPE_CHECKING:
    from compose.model.network import Network
    from compose.model.service import Service
    from compose.model.volume import Volume

# What does not change a container that exists: how its image comes about, how many there are, what
# comes first, and what only people or our own output care for.
_IGNORED = frozenset(("build", "pull_policy", "scale", "depends_on", "profiles", "attach"))


def with_digest(service: Service) -> Service:
    """The service with its digest."""
    plain = {
        key: value
        for key, value in plain_service(service).items()
        if key not in _IGNORED and not key.startswith("x-")
    }
    return service.replace(digest=_digest(plain))


def network_with_digest(network: Network) -> Network:
    """The network with its digest."""
    return network.replace(digest=_digest(plain_network(network)))


def volume_with_digest(volume: Volume) -> Volume:
    """The volume with its digest."""
    return volume.replace(digest=_digest(plain_volume(volume)))


def _digest(plain: dict[str, Any]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
