"""What of a service has changed since a container of it was made, in the words of the file. Pure.

Both sides are compared as the engine's ContainerSpec: what a container was made from is on record,
the file that it came from is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.reconcile import names
from compose.reconcile.container_spec import container_spec
from compose.reconcile.files import used_files
from compose.reconcile.limits import key_of_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from compose.model import Project, Service
    from engine import (
        ContainerSpec,
        EndpointSpec,
        FileSpec,
        HealthcheckSpec,
        Image,
        Mount,
        PortSpec,
        Resources,
    )

    Compare = Callable[[Any, Any], Iterable[str]]

_WORDS = {
    "name": "container_name",
    "reference": "image",
    "device_rules": "device_cgroup_rules",
    "dns_options": "dns_opt",
    "security_options": "security_opt",
    "shm_size_bytes": "shm_size",
    "stop_grace_s": "stop_grace_period",
    "log": "logging",
    "network": "network_mode",
    **{f"{kind}_mode": kind for kind in ("pid", "ipc", "uts", "cgroup")},
}
_PROBES = ("TCP", "HTTP", "FILE", "LOG")
_DERIVED = ("image", "lowers", "address_owner", "plugs")  # no key of the file says them


def differences(
    project: Project, service: Service, number: int, stored: ContainerSpec, image: Image
) -> tuple[str, ...]:
    """`("environment FOO", "ports")`: what would be otherwise in a new container.

    number  of the replica that was made as `stored`
    image   that it was made of: what a new one changes is not the configuration
    """
    named = {volume.name for volume in project.volumes.values()}
    anonymous = {
        mount.target: mount.source
        for mount in stored.mounts
        if mount.type == "volume" and mount.source not in named
    }
    desired = container_spec(project, service, number, image, anonymous=anonymous)
    if service.volumes_from:  # what other containers lend is theirs
        own = {mount.target for mount in desired.mounts}
        kept = tuple(mount for mount in stored.mounts if mount.target in own)
        stored = stored.replace(mounts=kept)
    if stored.name.endswith(f"_{desired.name}"):  # the replacement of an interrupted recreation
        stored = stored.replace(name=desired.name)
    sources = {
        reference.target: f"{'secrets' if secret else 'configs'} {source.key}"
        for reference, source, secret in used_files(project, service)
    }
    compare = {
        **_COMPARE,
        "endpoints": _endpoints_in(project),
        "mounts": _mounts_of(sources),
        "files": _files_of(sources),
    }
    found: list[str] = []
    for field, old in stored.values().items():
        new = getattr(desired, field)
        if field not in _DERIVED and new != old:
            found += compare.get(field, _whole(_WORDS.get(field, field)))(old, new)
    return tuple(dict.fromkeys(found))


def _whole(word: str) -> Compare:
    return lambda old, new: (word,)


def _keys_of(word: str) -> Compare:
    """`environment FOO, BAR`: which keys of a mapping."""

    def compare(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
        changed = [key for key in {**old, **new} if _entry(old, key) != _entry(new, key)]
        users = [key for key in changed if not key.startswith(names.PREFIX)]
        if users:
            yield f"{word} {', '.join(users)}"

    return compare


def _entry(mapping: Mapping[str, object], key: str) -> tuple[object, ...]:
    """A key without a value differs from one that is not there."""
    return (mapping[key],) if key in mapping else ()


def _mounts_of(sources: Mapping[str, str]) -> Compare:
    """By target; their order says nothing. `sources`: what secrets and configs are there."""

    def compare(old: tuple[Mount, ...], new: tuple[Mount, ...]) -> Iterator[str]:
        before = {mount.target: _comparable(mount) for mount in old}
        after = {mount.target: _comparable(mount) for mount in new}
        for target in {**before, **after}:
            mounts = before.get(target), after.get(target)
            if mounts[0] != mounts[1]:
                tmpfs = all(mount is None or mount.type == "tmpfs" for mount in mounts)
                yield sources.get(target, f"{'tmpfs' if tmpfs else 'volumes'} {target}")

    return compare


def _pre_start(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Of the hooks only these make another container."""
    if old.get("pre_start") != new.get("pre_start"):
        yield "pre_start"


def _comparable(mount: Mount) -> Mount:
    """On record, an image has its id, not its name."""
    return mount.replace(source="") if mount.type == "image" else mount


def _userns(old: str, new: str) -> Iterator[str]:
    """On record are the ids that came of it."""
    if (old == "host") != (new == "host") and new:
        yield "userns_mode"


def _endpoints_in(project: Project) -> Compare:
    keys = {network.name: key for key, network in project.networks.items()}

    def compare(old: tuple[EndpointSpec, ...], new: tuple[EndpointSpec, ...]) -> Iterator[str]:
        before = {endpoint.network: endpoint for endpoint in old}
        after = {endpoint.network: endpoint for endpoint in new}
        if _links(old) != _links(new):
            yield "links"
        for name in {**before, **after}:
            pair = [
                one.replace(links=()) if one else None
                for one in (before.get(name), after.get(name))
            ]
            if pair[0] != pair[1]:
                yield f"networks {keys.get(name, name)}"

    return compare


def _links(endpoints: Iterable[EndpointSpec]) -> set[tuple[str, str]]:
    return {link for endpoint in endpoints for link in endpoint.links}


def _healthcheck(old: HealthcheckSpec | None, new: HealthcheckSpec | None) -> Iterator[str]:
    tests = [check.test if check else () for check in (old, new)]
    if tests[0] != tests[1] and any(test[:1] and test[0] in _PROBES for test in tests):
        yield "x-buoy-probe"
    else:
        yield "healthcheck"


def _ports(old: tuple[PortSpec, ...], new: tuple[PortSpec, ...]) -> Iterator[str]:
    """Where they are published is not among the keys of a port."""
    written = [tuple(port.replace(loopback=False) for port in ports) for ports in (old, new)]
    if written[0] != written[1]:
        yield "ports"
    elif old != new:
        yield f"ports for {'this host alone' if new[0].loopback else 'others than this host, too'}"


def _resources(old: Resources, new: Resources) -> Iterator[str]:
    for field, value in old.values().items():
        if getattr(new, field) != value:
            yield key_of_field(field)


def _files_of(sources: Mapping[str, str]) -> Compare:
    """By target; of a secret the digest is on record, its text is not."""

    def compare(old: tuple[FileSpec, ...], new: tuple[FileSpec, ...]) -> Iterator[str]:
        before, after = ({one.target: _shown(one) for one in files} for files in (old, new))
        for target, file in {**before, **after}.items():
            if before.get(target) != after.get(target):
                yield sources.get(target, f"{'secrets' if file.secret else 'configs'} {target}")

    return compare


def _shown(file: FileSpec) -> FileSpec:
    return file.replace(content=None) if file.secret else file


_COMPARE: dict[str, Compare] = {
    "environment": _keys_of("environment"),
    "labels": _keys_of("labels"),
    "sysctls": _keys_of("sysctls"),
    "notes": _pre_start,
    "ports": _ports,
    "userns": _userns,
    "ulimits": _keys_of("ulimits"),
    "healthcheck": _healthcheck,
    "resources": _resources,
}
