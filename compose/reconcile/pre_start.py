"""Containers that run to their end before a service starts (Compose: services.pre_start)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.reconcile import names
from compose.reconcile.conditions import ENDED
from compose.reconcile.container_spec import container_spec
from compose.reconcile.hooks import SHOWN_LINES, HookFailed, last_lines
from compose.reconcile.lent import mounts_of_first
from engine import EndpointSpec, HealthcheckSpec, Problem, RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.model import Project, Service
    from engine import Container, ContainerSpec, Engine, Image, Mount


async def run_pre_start(engine: Engine, project: Project, service: Service, number: int) -> None:
    """Run hook `number` of a service, from 1, and remove its container when it ends with 0.

    Of a hook that fails the container stays, to be looked at: the next run or `down` removes it.
    Raises HookFailed.
    """
    hook = service.pre_start[number - 1]
    image = engine.images.get(hook.image or service.image_name)
    mounts = mounts_of_first(engine, project, service.name)
    spec = hook_spec(project, service, number, image, mounts)
    await _clear(engine, spec.name)
    container = engine.containers.create(spec)
    try:
        await engine.containers.start(container.id)
        ended = await engine.containers.wait(container.id, lambda one: one.status in ENDED)
    except Problem:
        engine.containers.remove(container.id)
        raise
    except BaseException:
        await engine.containers.kill(container.id)
        raise
    if ended.exit_code:
        raise _failed(engine, project, service, number, ended)
    engine.containers.remove(container.id)


async def _clear(engine: Engine, name: str) -> None:
    """Remove what a hook that failed, or a command that was killed, has left."""
    left = engine.containers.find(name)
    if left is not None:
        if left.status not in ("created", *ENDED):
            await engine.containers.kill(left.id)
            await engine.containers.wait(left.id, lambda one: one.status in ENDED)
        engine.containers.remove(left.id)


def hook_spec(
    project: Project, service: Service, number: int, image: Image, mounts: Iterable[Mount]
) -> ContainerSpec:
    """The container of a hook: the service's environment, networks, secrets and volumes.

    mounts   of the first container of the service

    All else is the hook's and the image's: docker compose 5.3 hands nothing more on either.
    """
    hook = service.pre_start[number - 1]
    own = container_spec(project, service, 1, image)
    return own.replace(
        name=names.hook_name(project, service, number),
        reference=hook.image or service.image_name,
        entrypoint=None,
        command=hook.command,
        environment={**own.environment, **hook.environment},
        working_dir=hook.working_dir,
        user=hook.user,
        privileged=hook.privileged,
        hostname=None,
        labels={
            **project.labels,
            names.SERVICE: service.name,
            names.ONE_OFF: "True",
            names.HOOK: "pre_start",
            names.CONFIG_HASH: service.digest,
        },
        notes={},
        mounts=tuple(mounts),
        endpoints=tuple(
            EndpointSpec(network=one.network, links=one.links, priority=one.priority)
            for one in own.endpoints
        ),
        address_owner=None,
        ports=(),
        expose=(),
        restart=RestartPolicy(),
        healthcheck=HealthcheckSpec(test=("NONE",)),
        tty=False,
        stdin_open=False,
    )


def _failed(
    engine: Engine, project: Project, service: Service, number: int, ended: Container
) -> HookFailed:
    written = b"\n".join(line.text for line in engine.containers.logs(ended.id, tail=SHOWN_LINES))
    return HookFailed(
        f"pre_start of service {service.name} ended with {ended.exit_code}: "
        f"{' '.join(service.pre_start[number - 1].command)}",
        where=project.where(f"services.{service.name}.pre_start[{number - 1}]"),
        hint=last_lines(written),
    )
