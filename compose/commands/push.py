"""`buoy push`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import check_services
from compose.reconcile.plan import selected_services
from compose.reconcile.plan_push import plan_push, pushed_names

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Push the images of services that have both `build` and `image`, and their `build.tags`."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy push`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE")
    add("--include-deps", action="store_true", help="what the services depend on, too")
    add("--ignore-push-failures", action="store_true", help="0 even when one cannot be pushed")
    add("-q", "--quiet", action="store_true", help="no progress")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Push side by side: 0. Raises an ExceptionGroup of what failed, after all else is there."""
    from compose.commands.applying import apply, failures_as_warnings
    from compose.reconcile.perform import Settings

    project = context.load_project(args)
    check_services(args.services, project.services)
    chosen = selected_services(project, tuple(args.services), dependencies=args.include_deps)
    if args.quiet:
        context.console.progress = "quiet"
    for service in chosen.values():
        if not pushed_names(service) and context.console.progress not in ("quiet", "none"):
            context.console.status(f" {service.name}  Skipped")
    with failures_as_warnings(context.console, wanted=args.ignore_push_failures):
        steps = plan_push(chosen.values())
        await apply(context, steps, Settings(quiet_pull=args.quiet), project, title="push")
    return 0
