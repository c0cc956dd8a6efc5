"""A project as plain values in the words of a Compose file: what `config` prints and what digests
are made of (compose-file.md 19). Reading them back gives the same project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.model.deploy import Deploy
from compose.model.plain_parts import given, plain_life, plain_machine, size, with_extensions
from compose.model.plain_resources import (
    plain_model,
    plain_network,
    plain_source,
    plain_volume,
)
from compose.model.service import DEFAULT_GRACE_S
from compose.source.values import format_duration

if TYPE_CHECKING:
    from compose.model.build import Build
    from compose.model.dependencies import Dependency
    from compose.model.files import FileReference, FileSource
    from compose.model.healthcheck import Healthcheck
    from compose.model.mounts import Mount
    from compose.model.network import ServiceNetwork
    from compose.model.ports import Port
    from compose.model.project import Project
    from compose.model.resources import RestartPolicy
    from compose.model.service import EnvFile, Link, Service

Plain = dict[str, Any]


def plain_project(project: Project) -> Plain:
    """A whole project, without what is disabled."""
    services = {name: plain_service(one) for name, one in sorted(project.services.items())}
    whole = {"name": project.name, "services": services} | given(
        networks={key: plain_network(one) for key, one in sorted(project.networks.items())},
        volumes={key: plain_volume(one) for key, one in sorted(project.volumes.items())},
        secrets={key: plain_source(one) for key, one in sorted(project.secrets.items())},
        configs={
            key: plain_source(one) | ({} if one.environment else _content(one))
            for key, one in sorted(project.configs.items())
        },
        models={key: plain_model(one) for key, one in sorted(project.models.items())},
    )
    return whole | dict(project.extensions)


def _content(source: FileSource) -> Plain:
    """A text of nothing is one, too."""
    return {} if source.content is None else {"content": source.content}


def plain_service(service: Service) -> Plain:
    """A service, keys sorted."""
    values = _process(service) | _surroundings(service) | _limits(service)
    values |= dict(service.namespaces)
    values |= given(**service.others) | plain_machine(service) | plain_life(service)
    return with_extensions(dict(sorted(values.items())), service.extensions)


def _process(service: Service) -> Plain:
    """What runs, as whom, and when it is started and stopped."""
    words: Plain = {
        key: list(value)
        for key, value in (("command", service.command), ("entrypoint", service.entrypoint))
        if value is not None
    }
    if not service.attach:
        words["attach"] = False
    grace_s, deploy = service.stop_grace_period_s, service.deploy or Deploy()
    return words | given(
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
        restart=None if deploy.restart_policy else _restart(service.restart),
        scale=None if service.scale == 1 or deploy.replicas is not None else service.scale,
        stdin_open=service.stdin_open,
        stop_grace_period=None if grace_s == DEFAULT_GRACE_S else format_duration(grace_s),
        stop_signal=service.stop_signal,
        tty=service.tty,
        user=service.user,
        working_dir=service.working_dir,
    )


def _surroundings(service: Service) -> Plain:
    """What it sees: labels, names, networks, ports and mounts."""
    return given(
        annotations=dict(service.annotations),
        configs=[_reference(one) for one in service.configs],
        dns=list(service.dns),
        dns_opt=list(service.dns_opt),
        dns_search=list(service.dns_search),
        domainname=service.domainname,
        expose=list(service.expose),
        extra_hosts=_hosts(service.extra_hosts),
        hostname=service.hostname,
        labels=dict(service.labels),
        external_links=list(service.external_links),
        links=[_link(link) for link in service.links],
        mac_address=service.mac_address,
        network_mode=service.network_mode,
        networks={key: _place(place) for key, place in sorted(service.networks.items())},
        ports=[_port(port) for port in service.ports],
        secrets=[_reference(one) for one in service.secrets],
        tmpfs=[":".join([m.target, ",".join(m.options)]).rstrip(":") for m in service.tmpfs],
        volumes=[_mount(mount) for mount in service.mounts],
        volumes_from=list(service.volumes_from),
    )


def _limits(service: Service) -> Plain:
    """What it may do and use; what `deploy` says is printed there."""
    limits, logging = service.resources, service.logging
    deploy = service.deploy or Deploy()
    quota = limits.cpu_quota_us
    own_cpus = None if deploy.limits or (quota and quota > 0) else limits.cpus
    return given(
        cap_add=list(service.cap_add),
        cap_drop=list(service.cap_drop),
        cpu_period=limits.cpu_period_us,
        cpu_quota=limits.cpu_quota_us,
        cpu_rt_period=limits.cpu_rt_period_us,
        cpu_rt_runtime=limits.cpu_rt_runtime_us,
        cpu_shares=limits.cpu_shares,
        cpus=own_cpus,
        cpuset=limits.cpuset,
        logging=given(driver=logging.driver, options=dict(logging.options)),
        mem_limit=None if deploy.limits else size(limits.memory_bytes),
        mem_reservation=None if deploy.reservations else size(limits.memory_reservation_bytes),
        mem_swappiness=size(limits.swappiness),
        memswap_limit=size(limits.memory_swap_bytes),
        oom_kill_disable=limits.oom_kill_disable,
        oom_score_adj=service.oom_score_adj or None,
        pids_limit=None if deploy.limits else limits.pids,
        privileged=service.privileged,
        read_only=service.read_only,
        security_opt=list(service.security_opt),
        shm_size=size(service.shm_size_bytes),
        sysctls=dict(service.sysctls),
        ulimits={name: _ulimit(pair) for name, pair in service.ulimits.items()},
    )


def _ulimit(pair: tuple[int, int]) -> int | Plain:
    soft, hard = pair
    return soft if soft == hard else {"soft": soft, "hard": hard}


def _build(build: Build) -> Plain:
    """A build, with the keys that change nothing here."""
    values = given(
        context=build.context,
        dockerfile=None if build.dockerfile_inline else build.dockerfile,
        dockerfile_inline=build.dockerfile_inline,
        additional_contexts=dict(build.additional_contexts),
        args=dict(build.args),
        entitlements=list(build.entitlements),
        extra_hosts=_hosts(build.extra_hosts),
        labels=dict(build.labels),
        network=build.network,
        no_cache=build.no_cache,
        no_cache_filter=list(build.no_cache_filter),
        platforms=list(build.platforms),
        privileged=build.privileged,
        pull=build.pull,
        secrets=[_reference(one) for one in build.secrets],
        shm_size=size(build.shm_size_bytes),
        ssh=[f"{name}={path}" if path else name for name, path in build.ssh.items()],
        tags=list(build.tags),
        target=build.target,
        ulimits={name: _ulimit(pair) for name, pair in build.ulimits.items()},
    )
    return values | given(**build.others)


def _link(link: Link) -> str:
    return link.service if link.alias == link.service else f"{link.service}:{link.alias}"


def _hosts(hosts: tuple[tuple[str, str], ...]) -> list[str]:
    return sorted(f"{name}={address}" for name, address in hosts)


def _reference(reference: FileReference) -> Plain:
    ids = {
        key: None if one is None else str(one)
        for key, one in (("uid", reference.uid), ("gid", reference.gid))
    }
    mode = None if reference.mode is None else f"{reference.mode:04o}"
    return given(source=reference.source, target=reference.target, **ids, mode=mode)


def _env_file(file: EnvFile) -> Plain:
    required = {} if file.required else {"required": False}
    return given(path=file.path, format=file.format) | required


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
    return given(
        test=None if check.test is None else list(check.test), **spans, retries=check.retries
    )


def _restart(policy: RestartPolicy) -> str | None:
    if policy.name == "no":
        return None
    return f"{policy.name}:{policy.max_attempts}" if policy.max_attempts else policy.name


def _place(place: ServiceNetwork) -> Plain | None:
    values = place.given()
    lists = {key: list(value) for key, value in values.items() if isinstance(value, tuple)}
    return {**values, **lists} or None


def _port(port: Port) -> Plain:
    first, last = port.published or (None, None)
    return given(
        name=port.name,
        mode=port.mode,
        host_ip=port.host_ip,
        target=port.target,
        published=None if first is None else str(first) if first == last else f"{first}-{last}",
        protocol=port.protocol,
        app_protocol=port.app_protocol,
    )


def _mount(mount: Mount) -> Plain:
    subpath = mount.subpath
    plain = given(
        type=mount.type,
        source=mount.source or None,
        target=mount.target,
        read_only=mount.read_only,
        consistency=mount.consistency,
        image=given(subpath=subpath) if mount.type == "image" else None,
        tmpfs=given(size=size(mount.size_bytes), mode=mount.mode),
    )
    if mount.type == "bind":
        plain["bind"] = {"create_host_path": mount.create_host_path} | given(
            propagation=None if mount.propagation == "rprivate" else mount.propagation,
            recursive=_recursive(mount),
            selinux=mount.selinux,
        )
    if mount.type == "volume":
        labels = dict(mount.labels)
        plain["volume"] = given(nocopy=mount.nocopy, subpath=subpath, labels=labels)
    return plain


def _recursive(mount: Mount) -> str | None:
    if not mount.recursive:
        return "disabled"
    return {None: None, False: "writable", True: "readonly"}[mount.read_only_below]


def escaped(value: Any) -> Any:
    """Every `$` in the strings of a plain value doubled, so that it reads back as it is."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [escaped(inner) for inner in value]
    return value
