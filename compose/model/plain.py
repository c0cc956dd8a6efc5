"""A project as plain values in the words of a Compose file: what `config` prints and what digests
are made of (compose-file.md 19). Reading them back gives the same project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.model.service import DEFAULT_GRACE_S
from compose.source.values import format_duration

if TYPE_CHECKING:
    from compose.model.build import Build
    from compose.model.dependencies import Dependency
    from compose.model.healthcheck import Healthcheck
    from compose.model.mounts import Mount
    from compose.model.network import Network, ServiceNetwork
    from compose.model.ports import Port
    from compose.model.project import Project
    from compose.model.resources import RestartPolicy
    from compose.model.service import EnvFile, Service
    from compose.model.volume import Volume

Plain = dict[str, Any]


def plain_project(project: Project) -> Plain:
    """A whole project, without what is disabled."""
    return _given(
        name=project.name,
        services={name: plain_service(one) for name, one in sorted(project.services.items())},
        networks={key: plain_network(one) for key, one in sorted(project.networks.items())},
        volumes={key: plain_volume(one) for key, one in sorted(project.volumes.items())},
        **project.extensions,
    )


def _given(**values: Any) -> Plain:
    """The values that say something."""
    return {
        key: value
        for key, value in values.items()
        if value is not None and value is not False and value not in ({}, [])
    }


def plain_service(service: Service) -> Plain:
    """A service, keys sorted."""
    values = _process(service) | _surroundings(service) | _limits(service)
    return dict(sorted(values.items())) | dict(service.extensions)


def _process(service: Service) -> Plain:
    """What runs, as whom, and when it is started and stopped."""
    words = {
        key: list(value)
        for key, value in (("command", service.command), ("entrypoint", service.entrypoint))
        if value is not None
    }
    grace_s = service.stop_grace_period_s
    return words | _given(
        attach=None if service.attach else "false",
        build=None if service.build is None else _build(service.build),
        container_name=service.container_name,
        depends_on={name: _dependency(one) for name, one in service.depends_on.items()},
        env_file=[_env_file(file) for file in service.env_files],
        environment=dict(service.environment),
        group_add=list(service.group_add),
        healthcheck=None if service.healthcheck is None else _healthcheck(service.healthcheck),
        image=service.image,
        init=service.init,
        platform=service.platform,
        profiles=list(service.profiles),
        pull_policy=service.pull_policy,
        restart=_restart(service.restart),
        scale=None if service.scale == 1 else service.scale,
        stdin_open=service.stdin_open,
        stop_grace_period=None if grace_s == DEFAULT_GRACE_S else format_duration(grace_s),
        stop_signal=service.stop_signal,
        tty=service.tty,
        user=service.user,
        working_dir=service.working_dir,
    )


def _surroundings(service: Service) -> Plain:
    """What it sees: labels, names, networks, ports and mounts."""
    return _given(
        annotations=dict(service.annotations),
        dns=list(service.dns),
        dns_opt=list(service.dns_opt),
        dns_search=list(service.dns_search),
        domainname=service.domainname,
        expose=list(service.expose),
        extra_hosts=sorted(f"{name}={address}" for name, address in service.extra_hosts),
        hostname=service.hostname,
        labels=dict(service.labels),
        links=[f"{link.service}:{link.alias}" for link in service.links],
        network_mode=service.network_mode,
        networks={key: _place(place) for key, place in sorted(service.networks.items())},
        ports=[_port(port) for port in service.ports],
        tmpfs=[":".join([m.target, ",".join(m.options)]).rstrip(":") for m in service.tmpfs],
        volumes=[_mount(mount) for mount in service.mounts],
    )


def _limits(service: Service) -> Plain:
    """What it may do and use."""
    limits, logging = service.resources, service.logging
    return _given(
        cap_add=list(service.cap_add),
        cap_drop=list(service.cap_drop),
        cpu_shares=limits.cpu_shares,
        cpus=limits.cpus,
        logging=_given(driver=logging.driver, options=dict(logging.options)),
        mem_limit=_size(limits.memory_bytes),
        mem_reservation=_size(limits.memory_reservation_bytes),
        memswap_limit=_size(limits.memory_swap_bytes),
        oom_score_adj=service.oom_score_adj or None,
        pids_limit=limits.pids,
        privileged=service.privileged,
        read_only=service.read_only,
        security_opt=list(service.security_opt),
        shm_size=_size(service.shm_size_bytes),
        sysctls=dict(service.sysctls),
        ulimits={name: _ulimit(pair) for name, pair in service.ulimits.items()},
    )


def _size(size_bytes: int | None) -> str | None:
    return None if size_bytes is None else str(size_bytes)


def _ulimit(pair: tuple[int, int]) -> int | Plain:
    soft, hard = pair
    return soft if soft == hard else {"soft": soft, "hard": hard}


def _build(build: Build) -> Plain:
    return _given(
        context=build.context,
        dockerfile=None if build.dockerfile_inline else build.dockerfile,
        dockerfile_inline=build.dockerfile_inline,
        args=dict(build.args),
        labels=dict(build.labels),
        network=build.network,
        no_cache=build.no_cache,
        pull=build.pull,
        tags=list(build.tags),
        target=build.target,
    )


def _env_file(file: EnvFile) -> Plain:
    required = {} if file.required else {"required": False}
    return _given(path=file.path, format=file.format) | required


def _dependency(dependency: Dependency) -> Plain:
    restart = {"restart": True} if dependency.restart else {}
    return {"condition": dependency.condition, **restart, "required": dependency.required}


def _healthcheck(check: Healthcheck) -> Plain:
    if check.test == ("NONE",):
        return {"disable": True}
    spans = {
        key.removesuffix("_s"): format_duration(value)
        for key, value in check.given().items()
        if key.endswith("_s")
    }
    return _given(
        test=None if check.test is None else list(check.test), **spans, retries=check.retries
    )


def _restart(policy: RestartPolicy) -> str | None:
    if policy.name == "no":
        return None
    return f"{policy.name}:{policy.max_attempts}" if policy.max_attempts else policy.name


def _place(place: ServiceNetwork) -> Plain | None:
    values = place.given()
    return {**values, **({"aliases": list(place.aliases)} if place.aliases else {})} or None


def _port(port: Port) -> Plain:
    first, last = port.published or (None, None)
    return _given(
        name=port.name,
        mode=port.mode,
        host_ip=port.host_ip,
        target=port.target,
        published=None if first is None else str(first) if first == last else f"{first}-{last}",
        protocol=port.protocol,
        app_protocol=port.app_protocol,
    )


def _mount(mount: Mount) -> Plain:
    return _given(
        type=mount.type,
        source=mount.source or None,
        target=mount.target,
        read_only=mount.read_only,
        bind=_given(
            create_host_path=None if mount.create_host_path else "false",
            propagation=None if mount.propagation == "rprivate" else mount.propagation,
            recursive=None if mount.recursive else "disabled",
            selinux=mount.selinux,
        ),
        volume=_given(nocopy=mount.nocopy),
        tmpfs=_given(size=_size(mount.size_bytes), mode=mount.mode),
    )


def plain_network(network: Network) -> Plain:
    """A network."""
    subnet = _given(subnet=network.subnet, gateway=network.gateway, ip_range=network.ip_range)
    return _given(
        name=network.name,
        driver=None if network.driver == "bridge" else network.driver,
        driver_opts=dict(network.driver_opts),
        external=network.external,
        internal=network.internal,
        attachable=network.attachable,
        ipam={"config": [subnet]} if subnet else None,
        labels=dict(network.labels),
    )


def plain_volume(volume: Volume) -> Plain:
    """A volume."""
    return _given(
        name=volume.name,
        driver=None if volume.driver == "local" else volume.driver,
        driver_opts=dict(volume.driver_opts),
        external=volume.external,
        labels=dict(volume.labels),
    )


def escaped(value: Any) -> Any:
    """Every `$` in the strings of a plain value doubled, so that it reads back as it is."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [escaped(inner) for inner in value]
    return value
