"""`buoy top`."""

from __future__ import annotations

import time

from compose.commands.target import find_target
from compose.reconcile import names
from compose.reconcile.decide import UP
from compose.ui.processes import TITLES, row
from compose.ui.tables import format_table
from engine.errors import ContainerProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from compose.commands.context import Context
    from compose.commands.target import Target

HELP = "Show the processes of containers, with their ids on the host."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy top`."""
    parser.add_argument("services", nargs="*", metavar="SERVICE")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the processes: 0, also when there are none."""
    target = find_target(context, args)
    rows = list(_rows(context, target, args.services))
    if rows:
        context.console.out(format_table(TITLES, rows))
    return 0


def _rows(context: Context, target: Target, services: list[str]) -> Iterator[tuple[str, ...]]:
    """By service and number."""
    now_s = time.time()
    chosen = [one for one in target.containers(services) if one.status in UP]
    for container in sorted(chosen, key=lambda one: (one.labels[names.SERVICE], one.name)):
        try:
            processes = context.engine.containers.processes(container.id)
        except ContainerProblem:  # it has ended meanwhile
            continue
        service, number = container.labels[names.SERVICE], str(names.number_of(container))
        for process in processes:
            yield service, number, *row(process, now_s)
