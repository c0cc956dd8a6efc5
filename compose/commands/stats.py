"""`buoy stats`."""

from __future__ import annotations

import json
import sys
import time

from compose.commands.target import check_services, find_target
from compose.reconcile import names
from compose.reconcile.decide import UP
from compose.reconcile.observe import observe_containers
from compose.ui.tables import format_table
from compose.ui.usage import TITLED, TITLES, cells, fields
from engine.errors import ContainerProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from compose.commands.context import Context
    from engine import Container, Engine, Usage

HELP = "Show what containers use: CPU, memory, network, disks, processes."
_FIRST_S = 0.5  # between two looks that make the first rates
_PERIOD_S = 1.0
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K\n", "\x1b[J"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy stats`."""
    add = parser.add_argument
    add("service", nargs="?", metavar="SERVICE")
    add("-a", "--all", action="store_true", help="those that do not run, too")
    add("--format", default="table", metavar="FORMAT", help="table, json or a template")
    add("--no-stream", action="store_true", help="once, instead of again and again")
    add("--no-trunc", action="store_true", help="full ids")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print until interrupted, or with --no-stream once: 0."""
    target = find_target(context, args)
    check_services([args.service] if args.service else [], target.services)
    looks = Looks(context.engine, target.name, args.service, every=args.all)
    looks.look()
    wait_s = _FIRST_S
    screen = context.console.drawable and args.format == "table" and not args.no_stream
    if screen:
        context.console.out("\x1b[2J" + _HOME, end="")
    while True:
        time.sleep(wait_s)
        wait_s = _PERIOD_S
        _show(context, looks.rows(full=args.no_trunc), args.format, screen=screen)
        sys.stdout.flush()  # also into a pipe
        if args.no_stream:
            return 0


class Looks:
    """The usage of a project's containers, one look after the other."""

    def __init__(self, engine: Engine, project: str, service: str | None, *, every: bool) -> None:
        self._engine, self._project = engine, project
        self._service, self._every = service, every
        self._before: dict[str, Usage] = {}

    def look(self) -> list[tuple[Container, Usage | None]]:
        """Those that are there now, by name; those that have come since the last time too."""
        found = [(one, self._usage(one)) for one in self._containers()]
        self._before = {one.id: usage for one, usage in found if usage is not None}
        return found

    def rows(self, *, full: bool) -> list[tuple[str, ...]]:
        """A row for each, with the rates since the look before."""
        before = self._before
        return [cells(one, before.get(one.id), now, full=full) for one, now in self.look()]

    def _containers(self) -> Iterator[Container]:
        observed = observe_containers(self._engine, self._project).containers
        for container in sorted(observed, key=lambda one: one.name):
            chosen = self._service in (None, container.labels.get(names.SERVICE))
            if chosen and (self._every or container.status in UP):
                yield container

    def _usage(self, container: Container) -> Usage | None:
        try:
            return self._engine.containers.usage(container.id)
        except ContainerProblem:  # it does not run, or does no more
            return None


def _show(context: Context, rows: list[tuple[str, ...]], form: str, *, screen: bool) -> None:
    if form == "json":
        for row in rows:
            context.console.out(json.dumps(fields(row), separators=(",", ":")))
    elif form != "table":
        from compose.ui.templates.rows import format_rows

        text = format_rows(form, TITLED, [fields(row) for row in rows])
        context.console.out(text, end="\n" if text else "")
    elif screen:
        lines = format_table(TITLES, rows).splitlines()
        drawn = "".join(line + _CLEAR_LINE for line in lines)
        context.console.out(_HOME + drawn + _CLEAR_BELOW, end="")
    else:
        context.console.out(format_table(TITLES, rows))
