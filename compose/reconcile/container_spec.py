"""A replica of a service in the engine's words: Service + number -> ContainerSpec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose import __version__
from compose.reconcile import names
from compose.reconcile.devices import device_specs
from compose.reconcile.files import file_specs, used_files
from compose.reconcile.hooks import describe_hooks
from compose.reconcile.limits import resources
from compose.reconcile.security import security_options
from engine import (
    ContainerSpec,
    EndpointSpec,
    HealthcheckSpec,
    LogSpec,
    Mount,
    PortSpec,
    RestartPolicy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from compose.model import Link, Port, Project, Service
    from compose.model import Mount as ServiceMount
    from engine import Image

MIB = 1024 * 1024


def container_spec(
    project: Project,
    service: Service,
    number: int,
    image: Image,
    *,
    anonymous: Mapping[str, str] = {},
    lent: Sequence[Mount] = (),
    replaces: str = "",
) -> ContainerSpec:
    """The container that replica `number` of `service` is to be.

    anonymous  target -> volume, of the container that this one replaces: what is in them stays
               where the service or the image still has an anonymous volume there
    lent       mounts of other containers that `volumes_from` names (`lent.py`)
    replaces   id of that container; the name is a temporary one until it is gone
    """
    name = names.container_name(project, service, number)
    labels = container_labels(project, service, number, image.id)
    if replaces:
        name = f"{replaces[:12]}_{name}"
        labels[names.REPLACE] = replaces
    return ContainerSpec(
        name=name,
        image=image.id,
        reference=service.image_name,
        entrypoint=service.entrypoint,
        command=service.command,
        environment=service.environment,
        working_dir=service.working_dir,
        user=service.user,
        group_add=service.group_add,
        hostname=service.hostname,
        domainname=service.domainname,
        labels=labels,
        notes=describe_hooks(service),
        mounts=tuple(_mounts(project, service, image, anonymous, lent)),
        files=file_specs(project, service),
        network=_network_mode(project, service),
        userns=service.namespaces.get("userns_mode", ""),
        pid_mode=_namespace(project, service, "pid"),
        ipc_mode=_namespace(project, service, "ipc"),
        uts_mode=_namespace(project, service, "uts"),
        cgroup_mode=_namespace(project, service, "cgroup"),
        endpoints=_endpoints(project, service),
        address_owner=f"{project.name}/{service.name}/{number}",
        ports=tuple(_port(project, service, port) for port in service.ports),
        expose=service.expose,
        extra_hosts=service.extra_hosts,
        dns=service.dns,
        dns_search=service.dns_search,
        dns_options=service.dns_opt,
        restart=RestartPolicy(name=service.restart.name, max_attempts=service.restart.max_attempts),
        healthcheck=_healthcheck(service),
        stop_signal=service.stop_signal,
        stop_grace_s=service.stop_grace_period_s,
        init=service.init,
        tty=service.tty,
        stdin_open=service.stdin_open,
        privileged=service.privileged,
        devices=device_specs(project, service),
        device_rules=service.device_cgroup_rules,
        read_only=service.read_only,
        cap_add=service.cap_add,
        cap_drop=service.cap_drop,
        security_options=security_options(project, service),
        ulimits=service.ulimits,
        sysctls=service.sysctls,
        resources=resources(service),
        cgroup_parent=service.cgroup_parent or "",
        shm_size_bytes=service.shm_size_bytes or 64 * MIB,
        oom_score_adj=service.oom_score_adj,
        log=_log(service),
    )


def container_labels(
    project: Project, service: Service, number: int, image_id: str
) -> dict[str, str]:
    """The service's own labels, and those by which Compose knows its containers."""
    return {
        **service.labels,
        **project.labels,
        names.SERVICE: service.name,
        names.NUMBER: str(number),
        names.ONE_OFF: "False",
        names.CONFIG_HASH: service.digest,
        names.DEPENDS_ON: names.format_depends_on(service),
        names.IMAGE: image_id,
        names.VERSION: __version__,
    }


def _mounts(
    project: Project,
    service: Service,
    image: Image,
    anonymous: Mapping[str, str],
    lent: Sequence[Mount],
) -> Iterator[Mount]:
    for mount in (*service.mounts, *service.tmpfs):
        assert mount.type in ("bind", "volume", "tmpfs", "image"), mount  # `check_built` was asked
        yield Mount(
            type=mount.type,
            target=mount.target,
            source=_source(project, mount, anonymous),
            read_only=mount.read_only,
            create_host_path=mount.create_host_path,
            propagation=mount.propagation,
            recursive=mount.recursive,
            read_only_below=mount.read_only_below,
            subpath=mount.subpath,
            nocopy=mount.nocopy,
            options=mount.options,
            size_bytes=mount.size_bytes,
            mode=mount.mode,
        )
    for reference, source, _ in used_files(project, service):
        if source.file is not None:
            yield Mount(
                type="bind",
                target=reference.target,
                source=source.file,
                read_only=True,
                create_host_path=False,
            )
    declared = {mount.target for mount in (*service.mounts, *service.tmpfs)}
    for borrowed in lent:
        if borrowed.target not in declared:
            declared.add(borrowed.target)
            yield borrowed
    for target in image.config.volumes:
        if target in anonymous and target not in declared:
            yield Mount(type="volume", target=target, source=anonymous[target])


def image_of(project: Project, mount: ServiceMount) -> str:
    """The image that a mount shows: its source is a reference, or a service."""
    named = project.services.get(mount.source)
    return mount.source if named is None else named.image_name


def _source(project: Project, mount: ServiceMount, anonymous: Mapping[str, str]) -> str:
    if mount.type == "image":
        return image_of(project, mount)
    if mount.type != "volume":
        return mount.source
    if not mount.source:
        return anonymous.get(mount.target, "")
    return project.volumes[mount.source].name


def _network_mode(project: Project, service: Service) -> str:
    mode = service.network_mode or "bridge"
    return "networks" if mode == "bridge" else _of_container(project, mode)


def _namespace(project: Project, service: Service, key: str) -> str:
    return _of_container(project, service.namespaces.get(key, "private"))


def _of_container(project: Project, mode: str) -> str:
    """The namespace of a service is that of its first container."""
    kind, _, name = mode.partition(":")
    if kind != "service":
        return mode
    return f"container:{names.container_name(project, project.services[name], 1)}"


def _endpoints(project: Project, service: Service) -> tuple[EndpointSpec, ...]:
    """One for each network, in the order of connection: highest priority first, then by name."""
    ranked = sorted(service.networks.items(), key=lambda item: (-item[1].priority, item[0]))
    links = [pair for link in service.links for pair in _link(project, link)]
    outside = (text.partition(":") for text in service.external_links)
    links += [(alias or name, name) for name, _, alias in outside]
    if service.network_mode == "bridge":
        return (EndpointSpec(network="bridge", links=tuple(links)),)
    return tuple(
        EndpointSpec(
            network=project.networks[key].name,
            aliases=(service.name, *place.aliases),
            links=tuple(links),
            ipv4_address=place.ipv4_address,
            ipv6_address=place.ipv6_address,
            mac_address=place.mac_address or (service.mac_address if index == 0 else None),
            interface=place.interface_name,
            link_local=place.link_local_ips,
            options=place.driver_opts,
            priority=place.priority,
            gw_priority=place.gw_priority,
        )
        for index, (key, place) in enumerate(ranked)
    )


def _link(project: Project, link: Link) -> Iterator[tuple[str, str]]:
    """Its alias stands for every replica; `SERVICE-N`, beside the container's name, for one."""
    linked = project.services[link.service]
    for number in range(1, linked.scale + 1):
        name = names.container_name(project, linked, number)
        yield link.alias, name
        yield f"{linked.name}-{number}", name


def _port(project: Project, service: Service, port: Port) -> PortSpec:
    return PortSpec(
        target=port.target,
        published=port.published,
        protocol=port.protocol,
        host_ip=port.host_ip,
        loopback=service.loopback,
    )


def _healthcheck(service: Service) -> HealthcheckSpec | None:
    """The probe takes the place of the test; the timing is that of `healthcheck` for both."""
    check, probe = service.healthcheck, service.probe
    if check is None and probe is None:
        return None
    given = check.values() if check else {}
    return HealthcheckSpec(**given | {"test": probe or given.get("test") or ()})


def _log(service: Service) -> LogSpec:
    wanted = service.logging
    spec = LogSpec(
        max_size_bytes=wanted.max_size_bytes,
        max_files=wanted.max_files,
        compress=wanted.compress,
        attributes=wanted.attributes,
    )
    match wanted.driver:
        case "json-file" | "local" | "none":
            return spec.replace(driver=wanted.driver)
    return spec
