"""`buoy ps`."""

from __future__ import annotations

import time

from compose.commands.parsing import UsageProblem, add_switch
from compose.commands.target import check_services, find_target
from compose.reconcile import names
from compose.reconcile.decide import UP
from compose.ui import containers as format_
from compose.ui.tables import format_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from compose.commands.context import Context
    from compose.commands.target import Target
    from engine import Container

HELP = "List containers of the project: those that are up, with -a all."
STATES = ("paused", "restarting", "removing", "running", "dead", "created", "exited")
TITLES = ("NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS")
_TITLED = {  # fields of templates whose title is not their name
    "ID": "CONTAINER ID",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "LocalVolumes": "LOCAL VOLUMES",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy ps`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE")
    add("-a", "--all", action="store_true", help="stopped ones and one-offs too")
    add("-q", "--quiet", action="store_true", help="ids alone")
    add("--services", dest="names", action="store_true", help="names of services alone")
    add("--status", action="append", default=[], choices=STATES, help="repeatable; implies -a")
    add("--filter", metavar="status=STATE", help="the same as --status")
    add("--format", default="table", metavar="FORMAT", help="table, json or a template")
    add("--exposure", action="store_true", help="a column: from where the ports can be reached")
    add("--no-trunc", action="store_true", help="full ids and commands")
    add_switch(parser, "--orphans", text="include orphans (default: true)")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the containers: 0."""
    target = find_target(context, args)
    shown = _chosen(args, target)
    if args.quiet:
        lines = [container.id for container in shown]
    elif args.names:
        lines = list(dict.fromkeys(one.labels[names.SERVICE] for one in shown))
    elif args.format == "json":
        lines = [_json(fields) for fields in _fields(shown, full=args.no_trunc)]
    elif args.format == "table":
        lines = [_table(shown, full=args.no_trunc, exposure=args.exposure)]
    else:
        from compose.ui.templates.rows import format_rows

        text = format_rows(args.format, _TITLED, _fields(shown, full=args.no_trunc))
        lines = [text] if text else []
    for line in lines:
        context.console.out(line)
    shows_exposure = args.exposure or args.format == "json"  # looking is slow beside a plain ps
    if shows_exposure and shown and context.engine.networks.has_lost_tables():
        context.console.warn(
            "rules of the firewall are gone: published ports lead nowhere until "
            "`buoy network repair` puts them back"
        )
    return 0


def _chosen(args: argparse.Namespace, target: Target) -> list[Container]:
    check_services(args.services, target.services)
    states = [*args.status, *([_filtered_state(args.filter)] if args.filter else [])]
    every = args.all or bool(states)
    known = target.project.services.keys() | target.project.disabled if target.project else None
    return sorted(
        (
            one
            for one in target.observed.containers
            if (not args.services or one.labels.get(names.SERVICE) in args.services)
            and (every or (one.status in UP and not names.is_one_off(one)))
            and (not states or one.status in states)
            and (args.orphans or known is None or one.labels.get(names.SERVICE) in known)
        ),
        key=lambda one: one.name,
    )


def _json(fields: dict[str, Any]) -> str:
    import json

    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def _fields(shown: list[Container], *, full: bool) -> list[dict[str, Any]]:
    """Docker's fields; `Exposure` and `Plugged` are ours."""
    from compose.ui.exposure import exposure_fields
    from engine import observe_ways

    now_s, ways = time.time(), observe_ways()
    return [
        format_.fields(one, now_s, full=full)
        | {
            "Exposure": exposure_fields(one, ways),
            "Plugged": list(map(format_.plugged_fields, one.plugged)),
        }
        for one in shown
    ]


def _table(shown: list[Container], *, full: bool, exposure: bool) -> str:
    rows = [_row(container, time.time(), full=full) for container in shown]
    if not exposure:
        return format_table(TITLES, rows)
    from compose.ui.exposure import format_exposure
    from engine import observe_ways

    ways = observe_ways()
    column = [format_exposure(container, ways) for container in shown]
    rows = [(*row, text) for row, text in zip(rows, column, strict=True)]
    return format_table((*TITLES, "EXPOSURE"), rows)


def _row(container: Container, now_s: float, *, full: bool) -> tuple[str, ...]:
    return (
        container.name,
        container.reference,
        format_.format_command(container, full=full),
        container.labels.get(names.SERVICE, ""),
        format_.format_created(container, now_s),
        format_.format_status(container, now_s),
        format_.format_ports(container),
    )


def _filtered_state(condition: str) -> str:
    key, _, state = condition.partition("=")
    if key != "status" or state not in STATES:
        raise UsageProblem(f"ps cannot filter by `{condition}`", hint="only by status=STATE")
    return state
