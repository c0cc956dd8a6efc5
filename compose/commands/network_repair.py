"""`buoy network repair`: what is on record, beside what the kernel has, put right."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compose.commands.context import Context
    from engine import Finding

HELP = """Look for what somebody has changed or taken away of networks, and put it right: bridges,
addresses, links, routes, firewall rules, names, also inside running containers."""


def add_arguments(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Its options."""
    parser = verbs.add_parser("repair", description=HELP, prog="buoy network repair")
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="these alone; else all")
    parser.add_argument(
        "--dry-run", action="store_true", default=argparse.SUPPRESS, help="only say what is wrong"
    )
    parser.set_defaults(shows_first=True)


async def repair(args: argparse.Namespace, context: Context) -> int:
    """0 when all is right now; 1 when something is wrong that could not be put right."""
    containers = context.engine.containers
    if args.dry_run:
        for finding in await containers.find_network_faults(*args.names):
            _show(context, finding, "" if finding.hint else " (would be put right)")
        return 0
    repaired = await containers.repair_networks(*args.names)
    for one in repaired:
        why = f": {one.why}" if one.why else ""
        _show(context, one.finding, ": put right" if one.mended else f": still so{why}")
    return 0 if all(one.mended for one in repaired) else 1


def _show(context: Context, finding: Finding, outcome: str) -> None:
    place = f"{finding.network}: " if finding.network else ""
    context.console.out(f"{place}{finding}{outcome}")
    if finding.hint:
        context.console.out(f"  hint: {finding.hint}")
