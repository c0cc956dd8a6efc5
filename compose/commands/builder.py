"""`buoy builder`: what the build cache holds, and its removal."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from compose.commands.parsing import UsageProblem
from compose.source.values import parse_duration, parse_size
from compose.ui.tables import format_age, format_size, format_table

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from engine import CacheEntry

HELP = "Look at the build cache, which all projects share, and make it smaller."
TITLES = ("ID", "TYPE", "SIZE", "LAST USED", "SHARED", "DESCRIPTION")
_SHOWN = 40  # characters of a description


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `buoy builder`."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="du | prune")
    usage = verbs.add_parser("du", description="What the cache holds.", prog="buoy builder du")
    usage.add_argument("--format", choices=("table", "json"), default="table")
    usage.add_argument("--no-trunc", action="store_true", help="ids and instructions in full")
    prune = verbs.add_parser(
        "prune",
        description="Remove from the cache, longest unused first.",
        prog="buoy builder prune",
    )
    add = prune.add_argument
    add("-a", "--all", action="store_true", help="steps of which there are images, too")
    add("-f", "--force", action="store_true", help="without asking")
    add("--filter", action="append", default=[], metavar="until=24h", help="unused for that long")
    add("--keep-storage", metavar="SIZE", help="stop where no more than that is left")


def run(args: argparse.Namespace, context: Context) -> int:
    """0; 1 where the question was not answered with yes."""
    return _usage(args, context) if args.action == "du" else _prune(args, context)


def _usage(args: argparse.Namespace, context: Context) -> int:
    from engine import cache_entries

    entries = cache_entries(context.engine)
    if args.format == "json":
        for entry in entries:
            context.console.out(json.dumps(entry.plain()))
        return 0
    rows = [_row(entry, full=args.no_trunc) for entry in entries]
    context.console.out(format_table(TITLES, rows))
    total = sum(entry.size_bytes for entry in entries)
    shared = sum(entry.size_bytes for entry in entries if entry.shared)
    context.console.out(f"Shared with images:\t{format_size(shared)}")
    context.console.out(f"Reclaimable:\t{format_size(total - shared)}")
    context.console.out(f"Total:\t{format_size(total)}")
    return 0


def _row(entry: CacheEntry, *, full: bool) -> tuple[str, ...]:
    name = entry.id.removeprefix("sha256:").rpartition("/")[2]
    text = entry.description
    if not full:
        name, text = name[:12], text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    used = f"{format_age(max(time.time() - entry.used_at, 0))} ago"
    return name, entry.kind, format_size(entry.size_bytes), used, str(entry.shared).lower(), text


def _prune(args: argparse.Namespace, context: Context) -> int:
    from compose.ui.asking import agreed
    from engine import prune_cache

    unused_since, keep_bytes = _until(args.filter), _size(args.keep_storage)
    what = "all build cache" if args.all else "all dangling build cache"
    asked = f"WARNING! This will remove {what}."
    if not args.force and not agreed(asked, "Are you sure you want to continue?"):
        return 1
    pruned = prune_cache(
        context.engine, shared=args.all, unused_since=unused_since, keep_bytes=keep_bytes
    )
    if pruned.entries:
        context.console.out("Deleted build cache objects:")
        for entry in pruned.entries:
            context.console.out(entry.id.removeprefix("sha256:").rpartition("/")[2])
        context.console.out("")
    context.console.out(f"Total reclaimed space: {format_size(pruned.freed_bytes)}")
    return 0


def _until(filters: list[str]) -> float | None:
    """Seconds since the epoch of the earliest `until=DURATION`."""
    times = []
    for text in filters:
        name, _, value = text.partition("=")
        if name != "until":
            raise UsageProblem(f"there is no filter `{name}`", hint="until=24h")
        try:
            times.append(time.time() - parse_duration(value))
        except ValueError as error:
            raise UsageProblem(f"--filter {text}: {error}") from None
    return min(times, default=None)


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_size(text, unit=1000)
    except ValueError as error:
        raise UsageProblem(f"--keep-storage: {error}") from None
