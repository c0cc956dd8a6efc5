"""`buoy logs`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from compose.commands.parsing import UsageProblem
from compose.commands.target import check_services, find_target
from compose.reconcile import names
from compose.reconcile.observe import observe_containers
from compose.ui.logs import LogPrinter, stamp_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Iterable, Iterator

    from compose.commands.context import Context
    from compose.commands.target import Target
    from compose.reconcile.observe import Observed
    from engine import Container, Engine, LogLine

HELP = """Show what the containers wrote.

Lines of several containers are merged by the time at which they were written. With -f, containers
that are started later are shown, too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy logs`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE")
    add("-f", "--follow", action="store_true", help="go on for as long as one of them runs")
    add("-n", "--tail", default="all", metavar="N", help="the last N lines of each container")
    add("--since", metavar="TIME", help="2026-01-02T15:04:05Z, or an age as 42m")
    add("--until", metavar="TIME", help="likewise")
    add("-t", "--timestamps", action="store_true", help="show when each line was written")
    add("--no-color", action="store_true", help="no colours")
    add("--no-log-prefix", action="store_true", help="no names before lines")
    add("--index", type=int, default=0, metavar="N", help="number of the replica of one service")


def run(args: argparse.Namespace, context: Context) -> int | Coroutine[None, None, int]:
    """Print the lines: 0."""
    target = find_target(context, args)
    if args.index and len(args.services) != 1:
        raise UsageProblem("--index needs exactly one SERVICE")
    check_services(args.services, target.services)
    if args.index:
        target.any_replica(args.services[0], args.index)
    containers = _chosen(args, target, target.observed)
    shown = {target.short_name(container): container for container in containers}
    for name, container in shown.items():
        if container.log_driver == "none":
            context.console.warn(f"{name}: nothing is kept of what it writes: logging driver none")
    printer = LogPrinter(
        context.console,
        shown,
        colour=not args.no_color,
        prefix=not args.no_log_prefix,
        timestamps=args.timestamps,
    )
    now_s = time.time()
    until_s = parse_moment(args.until, now_s) if args.until else None
    if args.follow and (until_s is None or until_s > now_s):
        return _follow(args, context, target, printer)
    printer.lines(merged(_read(args, context.engine, shown)))
    return 0


def merged(streams: Iterable[Iterator[tuple[str, LogLine]]]) -> Iterator[tuple[str, LogLine]]:
    """Lines of several containers in the order in which they were written."""
    import heapq

    return heapq.merge(*streams, key=lambda entry: entry[1].stamp)


def _chosen(args: argparse.Namespace, target: Target, observed: Observed) -> list[Container]:
    """Those of the named services; none named: of all but those with `attach: false`."""
    defined = target.project.services if target.project else {}
    wanted = args.services or [
        name for name in observed.services() if name not in defined or defined[name].attach
    ]
    return [
        container
        for name in wanted
        for container in observed.of_service(name)
        if args.index in (0, names.number_of(container))
    ]


def _read(
    args: argparse.Namespace, engine: Engine, shown: dict[str, Container]
) -> Iterator[Iterator[tuple[str, LogLine]]]:
    now_s = time.time()
    since_s = parse_moment(args.since, now_s) if args.since else None
    until_s = parse_moment(args.until, now_s) if args.until else None
    tail = parse_tail(args.tail)
    for name, container in shown.items():
        lines = engine.containers.logs(container.id, tail=tail, since_s=since_s, until_s=until_s)
        yield _named(name, lines)


def _named(name: str, lines: Iterable[LogLine]) -> Iterator[tuple[str, LogLine]]:
    return ((name, line) for line in lines)


async def _follow(
    args: argparse.Namespace, context: Context, target: Target, printer: LogPrinter
) -> int:
    import asyncio
    import contextlib

    from compose.commands.following import FOR_EVER, Following

    now_s, engine = time.time(), context.engine
    until_s = parse_moment(args.until, now_s) if args.until else None
    following = Following(
        engine,
        printer,
        target.name,
        since=stamp_of(parse_moment(args.since, now_s)) if args.since else "",
        until=FOR_EVER if until_s is None else stamp_of(until_s),
        tail=parse_tail(args.tail),
    )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if until_s is None else until_s - now_s):
            await following.run(
                lambda: _chosen(args, target, observe_containers(engine, target.name))
            )
    return 0


def parse_tail(text: str) -> int | None:
    """`all` -> None, `20` -> 20. Raises UsageProblem."""
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageProblem(f"--tail takes a number or `all`, not `{text}`")
    return int(text)


def parse_moment(text: str, now_s: float) -> float:
    """Seconds since the epoch: of `2026-01-02T15:04:05Z` (local time without a zone), of a number
    of them, or of an age before now as `42m` or `1h30m`. Raises UsageProblem."""
    from datetime import datetime

    from compose.source.values import parse_duration

    try:
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        if "-" in text or "T" in text:
            return datetime.fromisoformat(text).timestamp()
        return now_s - parse_duration(text)
    except ValueError:
        hint = "as 2026-01-02T15:04:05Z, or an age as 42m"
        raise UsageProblem(f"`{text}` is not a time", hint=hint) from None
