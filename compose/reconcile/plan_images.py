"""The plan of images that are fetched or built though they are here. Pure.

It is carried out before the plan of containers: whether they diverge depends on what comes of it.
"""

from __future__ import annotations

from compose.reconcile.step import StepList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.model import Service
    from compose.reconcile.step import Step

SETTLED_POLICIES = ("missing", "if_not_present", "never", "build")


def plan_images(
    services: Iterable[Service],
    *,
    build: bool = False,
    no_build: bool = False,
    pull: str | None = None,
) -> tuple[Step, ...]:
    """Builds asked for by `build` or a policy, pulls by `pull` or a policy; empty when none.

    no_build  never build: services are as if they had no `build`
    pull      policy above the services' own: always, missing, never, build
    """
    steps = StepList()
    done: set[str] = set()
    made: dict[str, int] = {}  # service -> the step that makes its image
    for service in services:
        service = service.replace(build=None) if no_build else service
        policy = pull or service.pull_policy or "missing"
        action, cause = _refresh(service, policy, build=build)
        if action and service.image_name not in done:
            done.add(service.image_name)
            bases = service.build.bases if service.build else ()
            made[service.name] = steps.add(
                action,  # type: ignore[arg-type]
                "image",
                service.image_name,
                cause,
                service=service.name,
                needs=[made[name] for name in bases if name in made],
            )
    return steps.done()


def _refresh(service: Service, policy: str, *, build: bool) -> tuple[str, str]:
    if service.build and (build or policy == "build"):
        return "build", "--build" if build else "pull policy build"
    if policy in SETTLED_POLICIES or (service.build and service.image is None):
        return "", ""
    return "fetch" if service.build else "pull", f"pull policy {policy}"
