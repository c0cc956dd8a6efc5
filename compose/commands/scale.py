"""`buoy scale`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.up_options import parse_scale
from compose.reconcile.plan import UpOptions, plan_up

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Set the number of replicas of services. The next plain `up` returns to the file's."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy scale`."""
    parser.add_argument("scale", nargs="+", metavar="SERVICE=N")
    parser.add_argument("--loopback", action="store_true", help="as with up --loopback")
    parser.add_argument("--no-deps", action="store_true", help="leave dependencies alone")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Create, start or remove replicas of the named services: 0."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    project = context.load_project(args)
    scale = parse_scale(args.scale, project)
    options = UpOptions(services=tuple(scale), scale=scale, no_deps=args.no_deps)
    steps = plan_up(project, context.observe(project), options)
    await apply(context, steps, Settings(), project, title="scale")
    return 0
