"""The images of a project with the digests that their registries give them now."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from compose.errors import raise_all
from engine import pin_reference
from engine.errors import Problem

if TYPE_CHECKING:
    from compose.model import Project, Service

_AT_ONCE = 8


def locked(project: Project) -> dict[str, Any]:
    """A project file that pins the image of every service that names one, and says nothing else."""
    pinned = pinned_images(project)
    return {"services": {name: {"image": image} for name, image in pinned.items()}}


def with_digests(plain: dict[str, Any], project: Project) -> None:
    """Put the pinned images into a plain project."""
    for name, image in pinned_images(project).items():
        plain["services"][name]["image"] = image


def pinned_images(project: Project) -> dict[str, str]:
    """By service, the image that it names with its digest; of a service that is only built none.

    Raises the problems of all images together.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        named = [one for _, one in sorted(project.services.items()) if one.image]
        answers = {one.image: pool.submit(pin_reference, one.image_name) for one in named}
    problems: list[Problem] = []
    pinned: dict[str, str] = {}
    for service in named:
        error = answers[service.image].exception()
        if error is None:
            pinned[service.name] = answers[service.image].result()
        elif isinstance(error, Problem):
            problems.append(_placed(error, project, service))
        else:
            raise error
    raise_all(problems)
    return pinned


def _placed(problem: Problem, project: Project, service: Service) -> Problem:
    """The problem with the place where the image is named."""
    where = project.where(f"services.{service.name}.image")
    return Problem(problem.what, where=where, hint=problem.hint, code=problem.code)
