"""`buoy kill`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import find_target
from compose.commands.up_options import remove_orphans
from compose.reconcile.decide import find_orphans
from compose.reconcile.lifecycle import plan_kill

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Send a signal to running containers: SIGKILL unless another is given."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy kill`."""
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument("-s", "--signal", default="SIGKILL", help="name or number")
    parser.add_argument("--remove-orphans", action="store_true", help="orphans too")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Signal: 0, also when nothing runs."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings
    from engine import signal_number

    signal_number(args.signal)
    target = find_target(context, args)
    containers = list(target.containers(args.services))
    orphans = find_orphans(target.project, target.observed) if target.project else []
    if not remove_orphans(args):
        containers = [one for one in containers if one not in orphans]
    steps = plan_kill(containers, target.name, args.signal)
    if not steps:
        context.console.status("No container to kill")
    settings = Settings(signal=args.signal)
    await apply(context, steps, settings, target.project, title="kill")
    return 0
