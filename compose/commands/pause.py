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
    return await change(args, context, back=False)


async def change(args: argparse.Namespace, context: Context, *, back: bool) -> int:
    """Pause the containers of the services named, or with `back` let them go on: 0."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    target = find_target(context, args)
    steps = plan_pause(target.containers(args.services), target.name, back=back)
    title = "unpause" if back else "pause"
    await apply(context, steps, Settings(), target.project, title=title)
    return 0
