"""`buoy rm`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import find_target
from compose.reconcile.decide import UP
from compose.reconcile.lifecycle import plan_remove
from compose.ui.asking import agreed

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Remove stopped containers. Asks first, unless -f is given."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy rm`."""
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument("-f", "--force", action="store_true", help="do not ask")
    parser.add_argument("-s", "--stop", action="store_true", help="stop them first")
    parser.add_argument("-v", "--volumes", action="store_true", help="anonymous volumes too")
    parser.add_argument("-a", "--all", action="store_true", help="has no effect")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Remove: 0, also when there is nothing to remove."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    target = find_target(context, args)
    leaving = [one for one in target.containers(args.services) if args.stop or one.status not in UP]
    if not leaving:
        context.console.status("No stopped containers")
        return 0
    names = ", ".join(target.short_name(one) for one in leaving)
    if not (args.force or context.options.dry_run or agreed(f"Going to remove {names}")):
        return 0
    steps = plan_remove(target.observed, leaving)
    await apply(context, steps, Settings(volumes=args.volumes), target.project, title="rm")
    return 0
