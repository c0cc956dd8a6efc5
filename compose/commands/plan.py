"""`buoy plan`: what `up` would do, each step with its cause and with what it needs."""

from __future__ import annotations

from compose.commands.up_options import add_creation_arguments, up_options
from compose.commands.volume_changes import settle_volumes
from compose.reconcile.bases import with_bases
from compose.reconcile.observe import Observed
from compose.reconcile.plan import plan_up, selected_services
from compose.reconcile.plan_images import plan_images
from compose.reconcile.step import format_plan
from engine.errors import NotRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from compose.model import Project

HELP = """Show what `up` would do and why, and change nothing.

Each line is a step: its number, what is done to what, the cause, and in brackets the steps that
come before it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy up` that decide what is done."""
    add_creation_arguments(parser)
    add = parser.add_argument
    add("--no-deps", action="store_true", help="the named services alone")
    add("--always-recreate-deps", action="store_true", help="recreate dependencies too")
    add("--no-start", action="store_true", help="create only")
    add("--wait", action="store_true", help="end when all is running or healthy")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the plan: 0, also when there is nothing to do."""
    project = context.load_project(args)
    options = up_options(args, project, start=not args.no_start)
    observed = _observe(context, project)
    context.warn_of(project, observed, options)
    options = settle_volumes(context, project, observed, options, yes=args.yes, ask=False)
    services = selected_services(project, options.services, dependencies=not options.no_deps)
    refreshing = plan_images(
        with_bases(project, services.values()),
        build=args.build,
        no_build=args.no_build,
        pull=args.pull,
    )
    steps = plan_up(project, observed, options)
    if refreshing:
        context.console.out(f"images first:\n{format_plan(refreshing)}\nthen, as things are now:")
    context.console.out(format_plan(steps) or "nothing to do")
    return 0


def _observe(context: Context, project: Project) -> Observed:
    try:
        return context.observe(project)
    except NotRoot:
        context.console.warn("not root, so what exists is unknown: this is the plan from nothing")
        return Observed(project=project.name)
