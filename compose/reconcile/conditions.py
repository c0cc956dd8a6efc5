"""Waiting until a container is as somebody needs it. By notification: nothing here polls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import Problem

if TYPE_CHECKING:
    from engine import Container, Engine

ENDED = ("exited", "dead")


class DependencyFailed(Problem):
    """What a service waits for will not come."""

    code = "dependency-failed"


async def wait_for(engine: Engine, container_id: str, condition: str, name: str) -> str:
    """Wait for `condition` and return the word for what came of it: Healthy, Exited, Running.

    condition  service_healthy, service_completed_successfully, or `running`: up, and healthy
               where there is a health check
    name       of the container, for messages

    Raises DependencyFailed as soon as the condition cannot come true any more.
    """
    if condition == "service_completed_successfully":
        container = await engine.containers.wait(container_id, _has_ended)
        return _check_completed(container, name)
    container = await engine.containers.wait(container_id, _is_settled)
    return _check_healthy(container, name, required=condition == "service_healthy")


def _has_ended(container: Container) -> bool:
    return container.status in ENDED


def _is_settled(container: Container) -> bool:
    return container.status in ENDED or (
        container.status == "running" and container.health in (None, "healthy", "unhealthy")
    )


def _check_completed(container: Container, name: str) -> str:
    if container.exit_code == 0:
        return "Exited"
    raise DependencyFailed(
        f"container {name} didn't complete successfully: exit {container.exit_code}",
        hint=_logs_hint(name),
    )


def _check_healthy(container: Container, name: str, *, required: bool) -> str:
    if container.status in ENDED:
        raise DependencyFailed(
            f"container {name} exited ({container.exit_code})", hint=_logs_hint(name)
        )
    if container.health == "unhealthy":
        raise DependencyFailed(f"container {name} is unhealthy", hint=_logs_hint(name))
    if container.health is None and required:
        raise DependencyFailed(
            f"container {name} has no healthcheck configured",
            hint="give its service a `healthcheck`, or wait for `service_started`",
        )
    return "Healthy" if container.health else "Running"


def _logs_hint(name: str) -> str:
    return f"`buoy logs {name.rpartition('-')[0] or name}` shows what it wrote"
