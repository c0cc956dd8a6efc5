"""The plan of images that are pushed: those that the file builds and gives a name. Pure."""

from __future__ import annotations

from compose.reconcile.step import StepList
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.model import Project, Service
    from compose.reconcile.step import Step


def plan_push(services: Iterable[Service]) -> tuple[Step, ...]:
    """One step for each name: `image`, and the `tags` of its build.

    Those of one service follow each other: what the first has sent, the others need not.
    """
    steps = StepList()
    planned: set[str] = set()
    for service in services:
        before: list[int] = []
        for name in pushed_names(service):
            if name not in planned:
                planned.add(name)
                step = steps.add(
                    "push",
                    "image",
                    name,
                    "asked for",
                    service=service.name,
                    needs=before,
                    tolerates=before,
                )
                before = [step]
    return steps.done()


def check_pushable(project: Project, services: Iterable[Service]) -> None:
    """All of `services`, which are built, have a name to be pushed under: else ExceptionGroup."""
    problems = [
        Problem(
            f"service `{service.name}` is built without a name that it could be pushed under",
            where=project.where(f"services.{service.name}"),
            hint="give it one with `image`: registry.example.com/me/web:1",
            code="no-image-name",
        )
        for service in services
        if not pushed_names(service)
    ]
    if problems:
        raise ExceptionGroup("some services cannot be pushed", problems)


def pushed_names(service: Service) -> tuple[str, ...]:
    """None for an image that others have built, and for one that only this project has a name
    for."""
    if service.build is None or service.image is None:
        return ()
    return (service.image, *service.build.tags)
