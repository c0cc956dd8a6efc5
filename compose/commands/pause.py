"""`buoy pause`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import find_target
from compose.reconcile.lifecycle import plan_pause

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Freeze all processes of containers, until they are unpaused."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy pause`."""
    parser.add_argument("services", nargs="*", metavar="SERVICE")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Pause what runs: 0, also when nothing does."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    target = find_target(context, args)
    steps = plan_pause(target.containers(args.services), target.name, back=False)
    await apply(context, steps, Settings(), target.project, title="pause")
    return 0
