"""A service of the tree as a Service."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from compose.errors import InvalidValue, nearest
from compose.model.read_build import read_build
from compose.model.read_deploy import read_deploy, read_others
from compose.model.read_devices import (
    read_block_io,
    read_device_rules,
    read_devices,
    read_requests,
)
from compose.model.read_environment import read_environment, read_labels, unread_files
from compose.model.read_files import CONFIGS, SECRETS, read_references
from compose.model.read_hooks import read_hooks, read_watch
from compose.model.read_limits import (
    read_healthcheck,
    read_resources,
    read_restart,
    read_scale,
    read_ulimits,
)
from compose.model.read_logging import read_logging
from compose.model.read_models import read_bindings, read_provider
from compose.model.read_mounts import read_mounts, read_ports, read_tmpfs
from compose.model.read_names import read_hosts, read_name, read_name_servers, read_words
from compose.model.read_needs import read_dependencies, read_links, read_volumes_from
from compose.model.read_probe import read_probe
from compose.model.read_service_network import read_networks
from compose.model.service import DEFAULT_GRACE_S, Service

if TYPE_CHECKING:
    from compose.model.fields import Fields
    from compose.source.discover import Environment

_OTHERS = ("cpu_count", "cpu_percent", "credential_spec", "isolation", "pull_refresh_after")
_NAMESPACES = ("cgroup", "ipc", "pid", "userns_mode", "uts")
_MODES = {  # those of ipc and pid besides that of a service or a container
    "cgroup": ("host", "private"),
    "ipc": ("host", "none", "private", "shareable"),
    "pid": ("host",),
    "userns_mode": ("host",),
    "uts": ("host",),
}
_JOINABLE = ("ipc", "pid")
_RUNTIMES = ("runc", "io.containerd.runc.v2")
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
    build, check = fields.given("build"), fields.given("healthcheck")
    image = fields.text("image")
    grace_s = fields.seconds("stop_grace_period")
    mode, deploy = fields.text("network_mode"), read_deploy(fields)
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
        hostname=read_name(fields, "hostname"),
        domainname=read_name(fields, "domainname"),
        container_name=fields.text("container_name"),
        labels=read_labels(fields, environment) if enabled else fields.labels(),
        annotations=fields.labels("annotations"),
        ports=tuple(read_ports(fields)),
        expose=fields.texts("expose"),
        mounts=tuple(read_mounts(fields)),
        tmpfs=tuple(read_tmpfs(fields)),
        networks=read_networks(fields),
        network_mode=mode,
        links=read_links(fields),
        dns=read_name_servers(fields),
        dns_search=read_words(fields, "dns_search"),
        dns_opt=read_words(fields, "dns_opt"),
        extra_hosts=read_hosts(fields),
        depends_on=read_dependencies(fields),
        healthcheck=None if check is None else read_healthcheck(check),
        probe=read_probe(fields),
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
        runtime=_runtime(fields),
        devices=read_devices(fields),
        device_cgroup_rules=read_device_rules(fields),
        gpus=tuple(read_requests(fields, "gpus")),
        reserved_devices=deploy.reservations.devices if deploy and deploy.reservations else (),
        block_io=read_block_io(fields),
        storage_opt=fields.labels("storage_opt"),
        mac_address=fields.text("mac_address"),
        volumes_from=tuple(read_volumes_from(fields)),
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
        deploy=deploy,
        logging=read_logging(fields.inside("logging")),
        profiles=fields.texts("profiles"),
        scale=read_scale(fields),
        others=read_others(fields, _OTHERS),
        extensions=fields.extensions(),
    )


def _check_platform(fields: Fields) -> None:
    """Refuse a platform that is not the host's."""
    wanted = fields.text("platform")
    if wanted is not None and not is_of_host(wanted):
        fields.not_built(f"`{wanted}`", "platform", hint=f"this host is {host_platform()}")


def host_platform() -> str:
    """As `linux/amd64`."""
    return f"linux/{_architecture(platform.machine())}"


def is_of_host(wanted: str) -> bool:
    """Whether a platform, `OS[/ARCHITECTURE[/VARIANT]]`, is the host's, whatever its variant."""
    system, _, rest = wanted.partition("/")
    return f"{system}/{_architecture(rest.partition('/')[0])}" == host_platform()


def _architecture(machine: str) -> str:
    return _ARCHITECTURES.get(machine, machine)


def _runtime(fields: Fields) -> str | None:
    """The name of another program that would make the containers; `runc` is what we do."""
    name = fields.text("runtime")
    if name not in (None, *_RUNTIMES):
        fields.not_built(f"`{name}`", "runtime", hint="leave it out, or `runc`")
    return name


def _namespaces(fields: Fields) -> dict[str, str]:
    found = {key: fields.text(key) for key in _NAMESPACES}
    return {key: value for key, value in found.items() if value}


def _check_namespaces(fields: Fields) -> None:
    """Note modes that there are not."""
    for key, value in _namespaces(fields).items():
        kind, _, name = value.partition(":")
        joins = key in _JOINABLE and kind in ("service", "container") and name
        if value not in _MODES[key] and not joins:
            known = [*_MODES[key], *(["service:NAME", "container:NAME"] * (key in _JOINABLE))]
            what = f"{fields.name(key)}: `{value}` is no namespace to be in"
            fields.note(InvalidValue, what, key, hint=nearest(value, known))


def _pull_policy(fields: Fields) -> str | None:
    policy = fields.text("pull_policy")
    return "missing" if policy == "if_not_present" else policy
