"""`buoy volume ls` and `buoy volume rm`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from compose.ui.tables import format_table
from engine.errors import Problem

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from engine import Volume

HELP = "List and remove volumes, of all projects."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `buoy volume`."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="ls | rm")
    listing = verbs.add_parser("ls", description="List volumes.", prog="buoy volume ls")
    listing.add_argument("-q", "--quiet", action="store_true", help="names alone")
    listing.add_argument("--format", choices=("table", "json"), default="table")
    removal = verbs.add_parser("rm", description="Remove volumes.", prog="buoy volume rm")
    removal.add_argument("names", nargs="+", metavar="VOLUME")
    removal.add_argument("-f", "--force", action="store_true", help="absence is no problem")


def run(args: argparse.Namespace, context: Context) -> int:
    """0; 1 when one could not be removed."""
    if args.action == "ls":
        return _list(args, context)
    return _remove(args, context)


def _list(args: argparse.Namespace, context: Context) -> int:
    volumes = sorted(context.engine.volumes.list(), key=lambda volume: volume.name)
    if args.quiet:
        lines = [volume.name for volume in volumes]
    elif args.format == "json":
        lines = [json.dumps(_fields(volume, context)) for volume in volumes]
    else:
        rows = [(volume.driver, volume.name) for volume in volumes]
        lines = [format_table(("DRIVER", "VOLUME NAME"), rows)]
    for line in lines:
        context.console.out(line)
    return 0


def _fields(volume: Volume, context: Context) -> dict[str, str]:
    return {
        "Name": volume.name,
        "Driver": volume.driver,
        "Scope": "local",
        "Mountpoint": context.engine.roots.volume(volume.name),
        "Labels": ",".join(f"{key}={value}" for key, value in volume.labels.items()),
    }


def _remove(args: argparse.Namespace, context: Context) -> int:
    problems: list[Problem] = []
    for name in args.names:
        try:
            if context.engine.volumes.find(name) is None and not args.force:
                raise Problem(f"there is no volume `{name}`", code="no-such-volume")
            context.engine.volumes.remove(name)
            context.console.out(name)
        except Problem as problem:
            problems.append(problem)
    if problems:
        raise ExceptionGroup("volumes that are still there", problems)
    return 0
