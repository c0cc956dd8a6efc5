"""`buoy stop`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import check_services, find_target
from compose.reconcile.lifecycle import plan_stop

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Stop containers, dependents first, and keep them."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy stop`."""
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument(
        "-t", "--timeout", type=float, metavar="SECONDS", help="before SIGKILL is sent"
    )


async def run(args: argparse.Namespace, context: Context) -> int:
    """Stop what runs: 0, also when nothing does."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    target = find_target(context, args)
    target.check_exists()
    check_services(args.services, target.services)
    steps = plan_stop(target.observed, tuple(args.services))
    settings = Settings(grace_s=args.timeout)
    await apply(context, steps, settings, target.project, title="stop")
    return 0
