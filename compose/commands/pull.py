"""`buoy pull`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import check_services
from compose.reconcile.plan import selected_services

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from compose.model import Project, Service

HELP = "Pull the images of services."
MISSING = ("missing", "if_not_present")
BUILT = ("build", "never")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy pull`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE")
    add("--policy", choices=("missing", "always"), help="missing: only what is not here")
    add("--include-deps", action="store_true", help="what the services depend on, too")
    add("--ignore-buildable", action="store_true", help="leave out services with `build`")
    add("--ignore-pull-failures", action="store_true", help="0 even when an image is missing")
    add("-q", "--quiet", action="store_true", help="no progress")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Pull side by side: 0. Raises an ExceptionGroup of what failed, after all else is here."""
    from compose.commands.applying import apply, failures_as_warnings
    from compose.reconcile.perform import Settings
    from compose.reconcile.step import StepList

    project = context.load_project(args)
    steps = StepList()
    planned: set[str] = set()
    for service in _wanted(project, args):
        if service.image_name not in planned and _is_due(service, args, context):
            planned.add(service.image_name)
            steps.add("pull", "image", service.image_name, "asked for", service=service.name)
    if args.quiet:
        context.console.progress = "quiet"
    try:
        settings = Settings(pull="always", quiet_pull=args.quiet)
        with failures_as_warnings(context.console, wanted=args.ignore_pull_failures):
            await apply(context, steps.done(), settings, project, title="pull")
    except ExceptionGroup:
        _tell_what_can_be_built(context, project, planned)
        raise
    return 0


def _tell_what_can_be_built(context: Context, project: Project, references: set[str]) -> None:
    names = [
        name
        for name, service in project.services.items()
        if service.build and service.image_name in references
    ]
    if names:
        context.console.warn(f"what cannot be pulled can be built: buoy build {' '.join(names)}")


def _wanted(project: Project, args: argparse.Namespace) -> list[Service]:
    check_services(args.services, project.services)
    chosen = selected_services(project, tuple(args.services), dependencies=args.include_deps)
    return list(chosen.values())


def _is_due(service: Service, args: argparse.Namespace, context: Context) -> bool:
    """Whether there is an image to pull: not one that is only ever built, or is wanted as it is."""
    policy = args.policy or service.pull_policy or "always"
    if service.build and (args.ignore_buildable or not service.image):
        return False
    if service.pull_policy in BUILT:
        return False
    return policy not in MISSING or context.engine.images.find(service.image_name) is None
