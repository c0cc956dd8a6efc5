"""A service of the tree as a Service."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Literal, cast

from compose.errors import Conflict, InvalidValue
from compose.model.dependencies import Dependency
from compose.model.network import ServiceNetwork
from compose.model.read_build import read_build, read_hosts
from compose.model.read_deploy import read_deploy, read_others
from compose.model.read_devices import read_block_io, read_devices, read_requests
from compose.model.read_environment import read_environment, read_labels, unread_files
from compose.model.read_files import CONFIGS, SECRETS, read_references
from compose.model.read_hooks import read_hooks, read_watch
from compose.model.read_limits import (
    read_healthcheck,
    read_logging,
    read_resources,
    read_restart,
    read_scale,
    read_ulimits,
)
from compose.model.read_models import read_bindings, read_provider
from compose.model.read_mounts import read_mounts, read_ports, read_tmpfs
from compose.model.read_network import read_service_network
from compose.model.service import DEFAULT_GRACE_S, Link, Service
from compose.source.shorthand import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.fields import Fields
    from compose.source.discover import Environment

_OTHERS = ("cpu_count", "cpu_percent", "credential_spec", "isolation", "pull_refresh_after")
_NAMESPACES = ("cgroup", "ipc", "pid", "userns_mode", "uts")
_OWN = {  # what a namespace is anyway
    "cgroup": ("private",),
    "ipc": ("private", "shareable"),
    "userns_mode": ("host",),
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def read_service(
    name: str,
    fields: Fields,
    project: str,
    directory: str,
    environment: Environment,
    *,
    enabled: bool = True,
    read_files: bool = True,
) -> Service:
    """One service, all but its digest.

    project, directory, environment   of the project
    enabled   False: no profile enables it; its environment files are not opened, so that they may
              be missing
    read_files False: nor are those of an enabled one, and it keeps them
    """
    _check_platform(fields)
    _check_namespaces(fields)
    _check_addresses(fields)
    build, check = fields.given("build"), fields.given("healthcheck")
    image = fields.text("image")
    grace_s = fields.seconds("stop_grace_period")
    mode = fields.text("network_mode")
    return Service(
        name=name,
        image_name=image or f"{project}-{name}",
        image=image,
        build=None if build is None else read_build(build, directory, environment),
        pull_policy=_pull_policy(fields),
        platform=fields.text("platform"),
        command=fields.words("command"),
        entrypoint=fields.words("entrypoint"),
        environment=read_environment(fields, environment, files=read_files) if enabled else {},
        env_files=() if read_files else tuple(unread_files(fields)),
        working_dir=fields.text("working_dir"),
        user=fields.text("user"),
        group_add=fields.texts("group_add"),
        hostname=fields.text("hostname"),
        domainname=fields.text("domainname"),
        container_name=fields.text("container_name"),
        labels=read_labels(fields, environment) if enabled else fields.labels(),
        annotations=fields.labels("annotations"),
        ports=tuple(read_ports(fields)),
        expose=fields.texts("expose"),
        mounts=tuple(read_mounts(fields)),
        tmpfs=tuple(read_tmpfs(fields)),
        networks=_networks(fields),
        network_mode=mode,
        links=tuple(_link(text) for text in fields.texts("links")),
        dns=tuple(_name_servers(fields)),
        dns_search=fields.texts("dns_search"),
        dns_opt=fields.texts("dns_opt"),
        extra_hosts=read_hosts(fields),
        depends_on=_depends_on(fields),
        healthcheck=None if check is None else read_healthcheck(check),
        restart=read_restart(fields),
        stop_signal=fields.text("stop_signal"),
        stop_grace_period_s=DEFAULT_GRACE_S if grace_s is None else grace_s,
        init=fields.flag("init"),
        tty=fields.flag("tty"),
        stdin_open=fields.flag("stdin_open"),
        attach=fields.flag("attach", default=True),
        privileged=fields.flag("privileged"),
        read_only=fields.flag("read_only"),
        cap_add=fields.texts("cap_add"),
        cap_drop=fields.texts("cap_drop"),
        security_opt=fields.texts("security_opt"),
        sysctls=fields.labels("sysctls"),
        ulimits=read_ulimits(fields),
        resources=read_resources(fields),
        shm_size_bytes=fields.size("shm_size"),
        oom_score_adj=fields.integer("oom_score_adj") or 0,
        namespaces=_namespaces(fields),
        cgroup_parent=fields.text("cgroup_parent"),
        runtime=fields.text("runtime"),
        devices=read_devices(fields),
        device_cgroup_rules=fields.texts("device_cgroup_rules"),
        gpus=tuple(read_requests(fields, "gpus")),
        block_io=read_block_io(fields),
        storage_opt=fields.labels("storage_opt"),
        mac_address=fields.text("mac_address"),
        volumes_from=tuple(_volumes_from(fields)),
        external_links=fields.texts("external_links"),
        configs=tuple(read_references(fields, "configs", CONFIGS)),
        secrets=tuple(read_references(fields, "secrets", SECRETS)),
        pre_start=read_hooks(fields, "pre_start", environment),
        post_start=read_hooks(fields, "post_start", environment),
        pre_stop=read_hooks(fields, "pre_stop", environment),
        watch=tuple(read_watch(fields, environment)),
        models=read_bindings(fields),
        provider=read_provider(fields),
        use_api_socket=fields.flag("use_api_socket"),
        deploy=read_deploy(fields),
        logging=read_logging(fields.inside("logging")),
        profiles=fields.texts("profiles"),
        scale=read_scale(fields),
        others=read_others(fields, _OTHERS),
        extensions=fields.extensions(),
    )


def _check_platform(fields: Fields) -> None:
    """Refuse a platform that is not the host's."""
    wanted = fields.text("platform")
    if wanted is None:
        return
    system, _, machine = wanted.partition("/")
    machine, _, _ = machine.partition("/")
    own = platform.machine()
    host = f"linux/{_ARCHITECTURES.get(own, own)}"
    if f"{system}/{_ARCHITECTURES.get(machine, machine)}" != host:
        fields.not_built(f"`{wanted}`", "platform", hint=f"this host is {host}")


def _namespaces(fields: Fields) -> dict[str, str]:
    found = {key: fields.text(key) for key in _NAMESPACES}
    return {key: value for key, value in found.items() if value}


def _check_namespaces(fields: Fields) -> None:
    """Name those that would be shared with somebody."""
    for key, value in _namespaces(fields).items():
        if value not in _OWN.get(key, ()):
            fields.not_built(f"`{value}`", key)


def _pull_policy(fields: Fields) -> str | None:
    policy = fields.text("pull_policy")
    return "missing" if policy == "if_not_present" else policy


def _networks(fields: Fields) -> dict[str, ServiceNetwork]:
    mode = fields.text("network_mode")
    if mode is not None:
        if fields.tree.get("networks"):
            what = f"{fields.name()}: `network_mode` and `networks` exclude each other"
            fields.note(Conflict, what, "network_mode")
        if mode not in ("none", "host"):
            fields.not_built(f"`{mode}`", "network_mode", hint="`none` and `host` are")
        return {}
    places = {key: read_service_network(place) for key, place in fields.named("networks")}
    if not places and "provider" not in fields:
        return {"default": ServiceNetwork()}
    return places


def _name_servers(fields: Fields) -> Iterator[str]:
    for index, text in enumerate(fields.texts("dns")):
        try:
            yield parse_address(text)
        except ValueError as error:
            fields.note(InvalidValue, f"{fields.name('dns', index)}: {error}", "dns", index)


def _link(text: str) -> Link:
    service, _, alias = text.partition(":")
    return Link(service=service, alias=alias or service)


def _depends_on(fields: Fields) -> dict[str, Dependency]:
    """Dependencies by service: those of depends_on, then those that links and namespaces imply."""
    found = {}
    for name, wish in fields.named("depends_on"):
        condition = wish.text("condition") or "service_started"
        found[name] = Dependency(
            condition=cast(
                'Literal["service_started", "service_healthy", "service_completed_successfully"]',
                condition,
            ),
            restart=wish.flag("restart"),
            required=wish.flag("required", default=True),
        )
    for name, key in _implied(fields):
        found.setdefault(name, Dependency(restart=True, implied_by=key))
    for name in _lenders(fields):
        found.setdefault(name, Dependency(implied_by="volumes_from"))
    return dict(sorted(found.items()))


def _implied(fields: Fields) -> list[tuple[str, str]]:
    """Services that are needed without `depends_on`, with the key that implies them."""
    implied = [(_link(text).service, "links") for text in fields.texts("links")]
    for key in ("network_mode", "ipc", "pid"):
        kind, _, name = (fields.text(key) or "").partition(":")
        if kind == "service":
            implied.append((name, key))
    return implied


def _volumes_from(fields: Fields) -> Iterator[str]:
    """The entries that are `SERVICE[:MODE]` or `container:NAME[:MODE]`."""
    for index, text in enumerate(fields.texts("volumes_from")):
        _, _, mode = text.removeprefix("container:").partition(":")
        if mode not in ("", "ro", "rw"):
            what = f"{fields.name('volumes_from', index)}: `{mode}` is neither `ro` nor `rw`"
            fields.note(InvalidValue, what, "volumes_from", index)
        yield text


def _check_addresses(fields: Fields) -> None:
    """The address of the card is that of the first network, which may say it, too."""
    own = fields.text("mac_address")
    places = [place.text("mac_address") for _, place in fields.named("networks")]
    if own and any(places) and own not in places:
        what = f"{fields.name('mac_address')} differs from that in `networks`"
        fields.note(Conflict, what, "mac_address")


def _lenders(fields: Fields) -> list[str]:
    """The services that `volumes_from` names."""
    entries = (text.partition(":") for text in fields.texts("volumes_from"))
    return [name for name, _, _ in entries if name != "container"]
