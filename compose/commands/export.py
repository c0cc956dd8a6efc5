"""`buoy export`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import find_target
from compose.commands.writing import output

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = """Write the root filesystem of a service's container as a tar.

The container may run or not. What is mounted in it, as volumes are, is not part of it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy export`."""
    add = parser.add_argument
    add("service", metavar="SERVICE")
    add("-o", "--output", metavar="FILE", default="-", help="instead of standard output")
    add("--index", type=int, default=0, metavar="N", help="number of the replica")


def run(args: argparse.Namespace, context: Context) -> int:
    """0; a file that could not be written whole is not there."""
    container = find_target(context, args).any_replica(args.service, args.index)
    with output(args.output) as file:
        context.engine.containers.export(container.id, file)
    return 0
