"""One-off containers (`run`): a service's definition with some things changed (cli.md 8, run)."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Literal, cast

from compose.model.record import Record
from compose.reconcile import names
from compose.reconcile.conditions import DependencyFailed, wait_for
from compose.reconcile.container_spec import container_spec
from compose.reconcile.plan_resources import ResourceSteps
from compose.reconcile.step import StepList
from compose.source.shorthand import parse_mount, parse_port, parse_port_range
from engine import Mount, PortSpec, Problem, RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from compose.model import Project, Service
    from compose.reconcile.observe import Observed
    from compose.reconcile.step import Step
    from engine import Container, ContainerSpec, Engine, Image

SLUG_BYTES = 6


class OneOff(Record):
    """What `run` is asked for; None: as the service has it.

    environment    above the service's
    volumes, ports as short entries; a volume takes the place of one with its target
    service_ports  the service's own ports are published
    use_aliases    the other containers find it by the service's names
    """

    name: str = ""
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    user: str | None = None
    working_dir: str | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    service_ports: bool = False
    use_aliases: bool = False
    tty: bool = False
    interactive: bool = True


def one_off_spec(
    project: Project, service: Service, image: Image, wanted: OneOff, lent: Sequence[Mount]
) -> ContainerSpec:
    """The container that `run` makes.

    lent  mounts of other containers that `volumes_from` names

    Addresses that the service has of its own stay with its other containers. Raises ValueError
    for a volume or a port that is none.
    """
    own = container_spec(project, service, 1, image, lent=lent)
    slug = secrets.token_hex(SLUG_BYTES)
    mounts = tuple(_mounts(project, wanted.volumes))
    targets = {mount.target for mount in mounts}
    return own.replace(
        name=wanted.name or f"{project.name}-{service.name}-run-{slug}",
        entrypoint=own.entrypoint if wanted.entrypoint is None else wanted.entrypoint,
        command=_command(service, wanted),
        environment={**own.environment, **wanted.environment},
        labels={**own.labels, **wanted.labels, names.ONE_OFF: "True", names.SLUG: slug},
        notes={},
        user=wanted.user or own.user,
        working_dir=wanted.working_dir or own.working_dir,
        cap_add=tuple(dict.fromkeys((*_without(own.cap_add, wanted.cap_drop), *wanted.cap_add))),
        cap_drop=tuple(dict.fromkeys((*_without(own.cap_drop, wanted.cap_add), *wanted.cap_drop))),
        mounts=(*(one for one in own.mounts if one.target not in targets), *mounts),
        endpoints=tuple(
            one.replace(
                aliases=one.aliases if wanted.use_aliases else (),
                ipv4_address=None,
                ipv6_address=None,
                mac_address=None,
                link_local=(),
            )
            for one in own.endpoints
        ),
        address_owner=None,
        ports=(
            *(own.ports if wanted.service_ports else ()),
            *_ports(wanted.ports, loopback=service.loopback),
        ),
        restart=RestartPolicy(),
        tty=wanted.tty,
        stdin_open=wanted.interactive,
        stdin_once=wanted.interactive,
    )


def _command(service: Service, wanted: OneOff) -> tuple[str, ...] | None:
    """An entrypoint that is given drops the service's command."""
    if wanted.command is not None:
        return wanted.command
    return service.command if wanted.entrypoint is None else ()


def _without(capabilities: Iterable[str], moved: Iterable[str]) -> list[str]:
    return [one for one in capabilities if one not in moved]


def _mounts(project: Project, volumes: Iterable[str]) -> Iterable[Mount]:
    for text in volumes:
        short = parse_mount(text)
        if short.unknown:
            raise ValueError(f"`{text}`: there is no option `{short.unknown[0]}` of a mount")
        source = short.source
        if short.type == "bind":
            source = os.path.abspath(os.path.expanduser(source))  # noqa: PTH100, PTH111
        elif source in project.volumes:
            source = project.volumes[source].name
        mount = Mount(
            type="bind" if short.type == "bind" else "volume",
            target=short.target,
            source=source,
            read_only=short.read_only,
            nocopy=short.nocopy,
        )
        yield mount.replace(propagation=short.propagation) if short.propagation else mount


def _ports(texts: Iterable[str], *, loopback: bool) -> Iterable[PortSpec]:
    for text in texts:
        for port in parse_port(text):
            published = parse_port_range(port.published or "0")
            any_free = published == range(0, 1)
            yield PortSpec(
                target=port.target,
                published=None if any_free else (published.start, published.stop - 1),
                protocol=cast('Literal["tcp", "udp", "sctp"]', port.protocol),
                host_ip=port.host_ip,
                loopback=loopback,
            )


def plan_one_off(project: Project, observed: Observed, service: Service) -> tuple[Step, ...]:
    """What has to be there first: image, networks and volumes of the service. Pure."""
    steps = StepList()

    def refuse(container: Container, cause: str) -> int:
        raise Problem(
            f"{container.name} would have to be stopped first: {cause}",
            hint=f"`buoy up -d {service.name}` does that",
            code="diverged",
        )

    resources = ResourceSteps(steps, project, observed, stop=refuse, build=True)
    resources.plan({service.name: service}, changing=[service])
    return steps.done()


async def await_dependencies(
    engine: Engine,
    service: Service,
    observed: Observed,
    project: Project,
    warn: Callable[[str], object],
) -> None:
    """Until each that the service depends on is as its condition says. Raises DependencyFailed."""
    for name, dependency in service.depends_on.items():
        if dependency.condition == "service_started":
            continue
        for container in observed.of_service(name):
            shown = names.short_name(container.name, project.name)
            try:
                await wait_for(engine, container.id, dependency.condition, shown)
            except DependencyFailed as failed:
                if dependency.required:
                    raise
                warn(f"optional dependency: {failed}")
