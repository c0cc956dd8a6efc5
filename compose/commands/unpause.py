"""`buoy unpause`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import find_target
from compose.reconcile.lifecycle import plan_pause

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Let paused containers go on."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy unpause`."""
    parser.add_argument("services", nargs="*", metavar="SERVICE")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Let what is paused go on: 0, also when nothing is."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    target = find_target(context, args)
    steps = plan_pause(target.containers(args.services), target.name, back=True)
    await apply(context, steps, Settings(), target.project, title="unpause")
    return 0
