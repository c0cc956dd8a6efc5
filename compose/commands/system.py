"""`buoy system df`; `buoy system prune` is in `system_prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands import system_prune
from compose.commands.parsing import UsageProblem
from compose.ui.disk import rows, verbose_tables
from compose.ui.tables import format_table

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Show what takes space on the disk, and free it."
_TITLES = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `buoy system`."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="df | prune")
    text = "Show what images, containers, volumes and the build cache take, as du counts it."
    showing = verbs.add_parser("df", description=text, prog="buoy system df")
    showing.add_argument("-v", "--verbose", action="store_true", help="each of them")
    showing.add_argument(
        "--format", default="table", metavar="FORMAT", help="table, json or a template"
    )
    text = "Remove what nothing uses: containers, networks, images, build cache."
    system_prune.add_arguments(
        verbs.add_parser("prune", description=text, prog="buoy system prune")
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """0; 1 where the user does not agree to what goes."""
    return _show(args, context) if args.action == "df" else system_prune.run(args, context)


def _show(args: argparse.Namespace, context: Context) -> int:
    from engine import cache_entries, observe_disk_usage

    if args.verbose and args.format != "table":
        raise UsageProblem("--verbose has one form: it does not go with --format")
    context.engine.images.finish_deleting()  # else the disk has more than is told
    usage, cached = observe_disk_usage(context.engine), cache_entries(context.engine)
    if args.verbose:
        text = verbose_tables(usage, cached)
    elif args.format == "table":
        lines = [list(row.values()) for row in rows(usage, cached)]
        text = format_table(list(_TITLES.values()), lines)
    else:
        from compose.ui.templates.rows import format_rows

        text = format_rows(args.format, _TITLES, rows(usage, cached))
    context.console.out(text)
    return 0
