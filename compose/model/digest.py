"""Digests that tell whether what exists was made from what the files say now (cli.md 8)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from compose.model.plain import plain_service
from compose.model.plain_resources import plain_network, plain_volume
from compose.model.text_digest import text_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.files import FileSource
    from compose.model.network import Network
    from compose.model.service import Service
    from compose.model.volume import Volume

# What does not change a container that exists: how its image comes about, how many there are, what
# comes first, and what only people or our own output care for.
_IGNORED = frozenset(
    (
        *("build", "pull_policy", "scale", "depends_on", "profiles", "attach", "develop"),
        *("post_start", "pre_stop"),
    )
)


def with_digest(
    service: Service,
    sources: Mapping[str, Mapping[str, FileSource]],
    services: Mapping[str, Service],
    profiles: Mapping[str, str],
) -> Service:
    """The service with its digest.

    services  all of the project: what those mount that `volumes_from` names counts
    sources   the secrets and configs of the project: what is in those that a service uses counts
    profiles  likewise the text of its seccomp profiles, by name

    Of `deploy` counts what it comes to for a container, which the service has in other fields.
    """
    plain = {
        key: value
        for key, value in plain_service(service.replace(deploy=None, extensions={})).items()
        if key not in _IGNORED
    }
    probe = {} if service.probe is None else {"probe": service.probe}
    loopback = {"loopback": True} if service.loopback and service.ports else {}
    used = {"secrets": service.secrets, "configs": service.configs}
    files: dict[str, object] = {
        f"{section}.{reference.source}": _source(sources[section].get(reference.source))
        for section, references in used.items()
        for reference in references
    }
    files |= {f"seccomp.{name}": text_digest(text) for name, text in profiles.items()}
    if service.reserved_devices:
        plain["reserved_devices"] = [request.plain() for request in service.reserved_devices]
    lent = {f"volumes_from.{one.name}": _mounts(one) for one in _lenders(service, services)}
    return service.replace(digest=_digest(plain | files | lent | probe | loopback))


def _mounts(service: Service) -> list[Any]:
    return [mount.plain() for mount in service.mounts]


def _lenders(service: Service, services: Mapping[str, Service]) -> list[Service]:
    """The services whose mounts a service has, too, directly or not."""
    found: dict[str, Service] = {}
    waiting = [service]
    while waiting:
        for entry in waiting.pop().volumes_from:
            name = entry.partition(":")[0]
            if name in services and name not in found:
                found[name] = services[name]
                waiting.append(services[name])
    return list(found.values())


def _source(source: FileSource | None) -> tuple[str | None, str]:
    """Where a secret or config comes from, and a digest of its text: not the text itself."""
    if source is None:
        return None, ""
    return source.file, text_digest(source.content or "")


def network_with_digest(network: Network) -> Network:
    """The network with its digest."""
    return network.replace(digest=_digest(plain_network(network.replace(extensions={}))))


def volume_with_digest(volume: Volume) -> Volume:
    """The volume with its digest."""
    return volume.replace(digest=_digest(plain_volume(volume.replace(extensions={}))))


def _digest(plain: dict[str, Any]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
