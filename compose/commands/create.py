"""`buoy create`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.up_options import add_creation_arguments, up_options
from compose.commands.volume_changes import settle_volumes
from compose.reconcile.bases import with_bases
from compose.reconcile.built import check_built
from compose.reconcile.plan import plan_up, selected_services
from compose.reconcile.plan_images import plan_images

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Create what is missing or differs, without starting it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy create`."""
    add_creation_arguments(parser)


async def run(args: argparse.Namespace, context: Context) -> int:
    """Reconcile without starting: 0."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    project = context.load_project(args)
    options = up_options(args, project, start=False)
    settings = Settings(pull=args.pull, quiet_pull=args.quiet_pull)
    services = selected_services(project, options.services).values()
    check_built(project, services)
    refreshing = plan_images(
        with_bases(project, services), build=args.build, no_build=args.no_build, pull=args.pull
    )
    await apply(context, refreshing, settings, project, title="create")
    observed = context.observe(project)
    context.warn_of(project, observed, options)
    options = settle_volumes(context, project, observed, options, yes=args.yes)
    steps = plan_up(project, observed, options)
    await apply(context, steps, settings, project, title="create")
    return 0
